"""What can be wrong with the streams, the servers and the machine, each with what to do about it.

Every check looks at one thing and returns findings: good ones say what was seen, bad ones carry a remedy. Nothing is
changed. What the services know (views, chunks, ledgers, parked messages) is asked by `cli.doctor`.
"""

import asyncio
import json
import shutil
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nats.aio.client import Client

from deploy.apply import ApplyError, check
from shared.contracts import subjects
from shared.eventlog.keys import Bucket
from shared.eventlog.vitals import Vitals
from shared.keys import KeyRing, KeyRingError

MOST_SUBJECTS = 5_000_000
LEAST_FREE = 0.1
MOST_USED = 0.8
MOST_SKEW = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `remedy` is "" where it is as it should be."""

    check: str
    detail: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing has to be done."""
        return not self.remedy

    def plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self) | {"ok": self.ok}


async def _api(nc: Client, question: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    raw = await nc.request(f"$JS.API.{question}", json.dumps(body or {}).encode(), timeout=5)
    answer: dict[str, Any] = json.loads(raw.data)
    return answer


async def streams(nc: Client) -> list[Finding]:
    """Compare streams and fixed consumers with deploy/streams.py."""
    events = await _api(nc, f"STREAM.INFO.{subjects.EVENTS}")
    if "error" in events:
        return [Finding("streams", "EVENTS is missing", "posthaste streams apply")]
    replicas = int(events["config"].get("num_replicas") or 1)
    try:
        found = await check(nc, replicas)
    except ApplyError as error:
        return [Finding("streams", str(error), "Upgrade nats-server.")]
    remedy = f"posthaste streams apply --replicas {replicas}"
    drift = [Finding("streams", str(one), remedy) for one in found]
    return drift or [Finding("streams", f"as they should be, {replicas} replicas")]


async def consumers(nc: Client) -> list[Finding]:
    """See that somebody pulls where something waits, and that JOBS follows the log."""
    found: list[Finding] = []
    listed = await _api(nc, f"CONSUMER.LIST.{subjects.JOBS}")
    for info in listed.get("consumers") or []:
        waits = int(info["num_pending"])
        if waits and not info.get("num_waiting") and not info["num_ack_pending"]:
            remedy = "Is a sender running, and is the account released? See its log; `posthaste account list`."
            found.append(Finding("consumers", f"{info['name']}: {waits} jobs wait and nobody pulls", remedy))
    timers = await _api(nc, f"CONSUMER.INFO.{subjects.TIMERS}.{subjects.PLANNER_TIMERS}")
    if "error" not in timers and not timers.get("num_waiting"):
        found.append(Finding("consumers", "nobody pulls the timers", "Is the planner running? See its log."))
    vitals = Vitals(nc)
    sources = [(stream, subjects.JOBS_SOURCE) for stream in (subjects.EVENTS, subjects.TIMERS)]
    before = {one.stream: one.pending for one in await vitals.consumers(sources) if one.pending}
    if before:
        await asyncio.sleep(1)
        for one in await vitals.consumers(sources):
            if one.pending >= before.get(one.stream, one.pending + 1):
                remedy = "posthaste streams apply; if that does not help, delete JOBS and apply again."
                found.append(Finding("consumers", f"JOBS is {one.pending} behind {one.stream}", remedy))
    return found or [Finding("consumers", "everything that waits is pulled")]


async def capacity(nc: Client, folder: Path) -> list[Finding]:
    """See how full the disks are and how large the log is."""
    account = await _api(nc, "INFO")
    used, limit = int(account.get("storage", 0)), int((account.get("limits") or {}).get("max_storage", -1))
    full = limit > 0 and used > MOST_USED * limit
    said = f"JetStream holds {used / 2**20:.0f} MiB" + (f" of {limit / 2**20:.0f}" if limit > 0 else "")
    found = [Finding("capacity", said, "Enlarge its disk and max_file_store." if full else "")]
    events = await _api(nc, f"STREAM.INFO.{subjects.EVENTS}")
    if "error" not in events:
        count = int(events["state"].get("num_subjects", 0))
        remedy = "Begin a new cell: see docs/operations.md." if count > MOST_SUBJECTS else ""
        found.append(Finding("capacity", f"EVENTS has {events['state']['messages']} commits, {count} subjects", remedy))
    return found + _disk(folder)


def _disk(folder: Path) -> list[Finding]:
    if not folder.exists():
        return []
    disk = shutil.disk_usage(folder)
    remedy = "Make room: see DiskFilling in docs/runbooks.md." if disk.free < LEAST_FREE * disk.total else ""
    return [Finding("disk", f"{disk.free / disk.total:.0%} free under {folder}", remedy)]


async def clock(nc: Client) -> list[Finding]:
    """Compare this machine's clock with that of NATS."""
    sent = datetime.now(UTC)
    info = await _api(nc, f"STREAM.INFO.{subjects.EVENTS}")
    received = datetime.now(UTC)
    if "ts" not in info:
        return []
    here = sent + (received - sent) / 2
    skew = (here - datetime.fromisoformat(info["ts"])).total_seconds()
    bad = abs(skew) > MOST_SKEW + (received - sent).total_seconds() / 2
    remedy = "Let all machines keep time by the same NTP servers." if bad else ""
    return [Finding("clock", f"{skew:+.3f} s from NATS", remedy)]


async def keys(nc: Client, secrets: dict[str, str]) -> list[Finding]:
    """See that every sealed password opens with the keys that are known here."""
    if not secrets.get("POSTHASTE_SECRET_KEYS"):
        return [Finding("keys", "not known here: not checked")]
    try:
        ring = KeyRing.of(secrets["POSTHASTE_SECRET_KEYS"], secrets.get("POSTHASTE_ADDRESS_PEPPER", ""))
    except KeyRingError as error:
        return [Finding("keys", str(error), "Put back the secrets the installation was started with.")]
    info = await _api(nc, f"STREAM.INFO.KV_{subjects.SECRETS}", {"subjects_filter": ">"})
    bucket = Bucket(nc, subjects.SECRETS)
    names = [name.rpartition(".")[2] for name in (info.get("state") or {}).get("subjects") or {}]
    closed = []
    for name in names:
        entry = await bucket.get(name)
        try:
            ring.unseal(entry[0] if entry else ring.seal(""))
        except KeyRingError:  # reported below, with the account it belongs to
            closed.append(name)
    remedy = "Put the key back that sealed them, or add the accounts anew."
    bad = [Finding("keys", f"the password of account {name} opens with no key", remedy) for name in closed]
    return bad or [Finding("keys", f"{len(names)} sealed passwords open")]
