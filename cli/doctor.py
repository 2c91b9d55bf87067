"""`posthaste doctor`: what is wrong, line by line, each with what to do."""

import asyncio
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

import typer

from cli.backup import secrets_of
from cli.errors import CliError, NotBalancedError
from cli.session import Session
from deploy import doctor as looks
from deploy.data_folder import DataFolder, Ports
from deploy.doctor import Finding
from shared.contracts import commands

LEDGERS = 10
OLDEST = 900.0
LAG = 10_000

Check = Callable[[Session], Awaitable[list[Finding]]]


async def doctor(session: Session) -> None:
    """Look at everything: streams, consumers, chunks, views, ledgers, clocks, disks, keys. Exit code 1 if one is wrong.

    Example: `posthaste doctor --data /var/lib/posthaste`
    """
    found = await _servers(session)
    for check in (_trust, _chunks, _views, _parked, _ledgers):
        found += await _asked(session, check)
    wrong = [one for one in found if not one.ok]
    if session.out.as_json:
        session.out.json({"ok": not wrong, "checks": [one.plain() for one in found]})
        if wrong:
            raise typer.Exit(1)
        return
    rows = [one.plain() | {"ok": "ok" if one.ok else "WRONG"} for one in found]
    titles = {"ok": "", "check": "Check", "detail": "Seen", "remedy": "Do"}
    session.out.rows({"checks": rows}, "checks", titles)
    if wrong:
        raise NotBalancedError("unwell", f"{len(wrong)} of {len(found)} checks found something wrong.")


async def _servers(session: Session) -> list[Finding]:
    folder = session.data.resolve()
    nc = await session.connection("deploy")
    try:
        found = await looks.streams(nc)
        found += await looks.consumers(nc)
        found += await looks.capacity(nc, folder)
        found += await looks.clock(nc)
        found += await looks.keys(nc, secrets_of(folder))
    finally:
        await nc.close()
    return found + await asyncio.to_thread(_ready, DataFolder(folder).known_ports())


def _ready(ports: Ports | None) -> list[Finding]:
    """Ask the services of this machine whether they can work; nothing where they run elsewhere."""
    found = []
    for name, port in (asdict(ports) if ports else {}).items():
        if not name.startswith("ops_"):
            continue
        service = name.removeprefix("ops_")
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=3).close()
        except OSError as error:
            remedy = f"Start it, or see its log: logs/{service}.log in the data folder."
            found.append(Finding("services", f"{service} is not ready: {error}", remedy))
        else:
            found.append(Finding("services", f"{service} is ready"))
    return found


async def _asked(session: Session, check: Check) -> list[Finding]:
    try:
        return await check(session)
    except CliError as error:  # whoever should know does not answer: a finding of its own
        name = check.__name__.strip("_")
        return [Finding(name, f"{error.code}: {error}", "Is the service running? See its log.")]


async def _trust(session: Session) -> list[Finding]:
    answer = await session.ask(commands.LogTrust())
    remedy = "See LogRestored in docs/runbooks.md; then posthaste resume --after-restore"
    why: Mapping[str, str] = answer["why"]
    bad = [Finding("incarnation", f"{who}: {text}", remedy) for who, text in why.items()]
    return bad or [Finding("incarnation", f"the log is {answer['incarnation']}, as everybody remembers")]


async def _chunks(session: Session) -> list[Finding]:
    answer = await session.ask(commands.Census())
    counts: Mapping[str, int] = answer["chunks"]
    found = [Finding("chunks", f"{sum(counts.values())} unfinished, the oldest waits {answer['oldest_seconds']:.0f} s")]
    if counts.get("stuck"):
        remedy = "See ChunksStuck in docs/runbooks.md."
        found.append(Finding("chunks", f"{counts['stuck']} without progress although nothing holds them", remedy))
    if counts.get("parked"):
        remedy = "posthaste mailing status tells why; mend it, then posthaste mailing resume."
        found.append(Finding("chunks", f"{counts['parked']} are parked", remedy))
    if answer["oldest_seconds"] > OLDEST:
        found.append(Finding("chunks", "the oldest waits for too long", "See ChunksWaitLong in docs/runbooks.md."))
    return found


async def _views(session: Session) -> list[Finding]:
    answer = await session.ask(commands.ViewHealth())
    found = []
    for view in answer["views"]:
        if view["state"] == "paused":
            remedy = "See ViewPaused in docs/runbooks.md."
            found.append(Finding("views", f"{view['name']} is paused: {view['reason']}", remedy))
        elif view["lag"] > LAG:
            found.append(Finding("views", f"{view['name']} is {view['lag']} commits behind", "See ViewsLag."))
    return found or [Finding("views", f"{len(answer['views'])} views follow the log")]


async def _parked(session: Session) -> list[Finding]:
    rows: list[dict[str, Any]] = (await session.ask(commands.ParkedMessages(limit=1000)))["rows"]
    remedy = "posthaste parked list; mend the cause, then posthaste parked redrive SEQ"
    return [Finding("parked", f"{len(rows)} messages are parked", remedy if rows else "")]


async def _ledgers(session: Session) -> list[Finding]:
    mailings = [row for row in (await session.ask(commands.Mailings()))["mailings"] if row.get("started_at")]
    recent = sorted(mailings, key=lambda row: row["started_at"], reverse=True)[:LEDGERS]
    found = []
    for row in recent:
        ledger = await session.ask(commands.VerifyLedger(mailing=row["mailing"]))
        if not ledger["balanced"]:
            remedy = "A fault of Posthaste: keep the data folder, pause what runs, and report it."
            found.append(Finding("ledger", f"{row['mailing']} has {ledger['gap_count']} gaps", remedy))
    return found or [Finding("ledger", f"the last {len(recent)} mailings balance")]
