"""Bring a live server to what deploy/streams.py says; the only writer of streams and fixed consumers.

`plan` compares and lists the changes, `apply` makes them, `check` lists where the server still differs. It may run any
number of times, beside running services, and after JOBS or TIMERS were deleted by hand. It never narrows a live stream:
what is wider there (longer kept, more subjects, more replicas) stays and is reported as drift. A server older than 2.14
is refused with `ServerTooOldError`, a refused change raises `ApplyError` and leaves the changes before it in place.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nats.aio.client import Client

from deploy.streams import CONSUMERS, STREAMS, Config, Consumer, Stream
from shared.contracts import subjects
from shared.ids import new_id

OLDEST_SERVER = (2, 14)

_NOT_FOUND = {10014, 10059}  # consumer, stream
_IMMUTABLE = ("storage", "retention")
_ONCE_ON = ("allow_direct", "deny_delete", "deny_purge", "allow_rollup_hdrs", "allow_msg_schedules", "allow_msg_ttl")
_LIMITS = ("max_age", "max_msgs", "max_bytes", "max_msgs_per_subject")
_FIXED_AT_CREATION = ("deliver_policy", "ack_policy", "flow_control", "idle_heartbeat")
_FALSY_WHEN_ABSENT: tuple[Any, ...] = (None, False, 0, "", [])


class ApplyError(RuntimeError):
    """The server refused a request; the message names what was asked and what it said."""


class ServerTooOldError(ApplyError):
    """Jobs need sources with consumers of their own, which this server does not have."""


@dataclass(frozen=True)
class Change:
    """One thing to do, or done.

    Attributes:
        target: `stream EVENTS` or `consumer EVENTS/planner-facts`.
        action: `create`, `update`, `detach` (take sources off JOBS before their consumers are made anew) or `attach`.
        detail: What differs, for people.
    """

    target: str
    action: str
    detail: str = ""
    api: str = field(default="", repr=False)
    body: Config = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"{self.action} {self.target}" + (f": {self.detail}" if self.detail else "")


@dataclass(frozen=True)
class Drift:
    """One field in which the server differs from deploy/streams.py; `field` is "" where the whole thing is missing."""

    target: str
    field: str
    wanted: Any
    live: Any

    def __str__(self) -> str:
        if not self.field:
            return f"{self.target} is missing"
        return f"{self.target}: {self.field} is {self.live!r}, should be {self.wanted!r}"


async def plan(nc: Client, replicas: int = 1) -> list[Change]:
    """Return what `apply` would do now."""
    _refuse_old_server(nc)
    return await _changes(nc, replicas)


async def apply(nc: Client, replicas: int = 1) -> list[Change]:
    """Create and update streams and fixed consumers; return what was done, [] when all was as it should be."""
    changes = await plan(nc, replicas)
    for change in changes:
        await _ask(nc, change.api, change.body)
    return changes


async def check(nc: Client, replicas: int = 1) -> list[Drift]:
    """Return every difference between the server and deploy/streams.py."""
    _refuse_old_server(nc)
    found: list[Drift] = []
    for stream in STREAMS:
        live = await _stream(nc, stream.name)
        found += _drift(f"stream {stream.name}", stream.config | {"num_replicas": replicas}, live)
    for consumer in _all_consumers():
        live = await _consumer(nc, consumer)
        found += _drift(f"consumer {consumer.key}", consumer.config, live)
    return found


def _refuse_old_server(nc: Client) -> None:
    version = nc.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        raise ServerTooOldError(
            f"nats-server {version} is too old: Posthaste needs {OLDEST_SERVER[0]}.{OLDEST_SERVER[1]} or newer "
            "(sources with consumers of their own). Upgrade the server, then start again."
        )


def _all_consumers() -> Iterator[Consumer]:
    for stream in STREAMS:
        yield from stream.needs
    yield from CONSUMERS


async def _changes(nc: Client, replicas: int) -> list[Change]:
    changes: list[Change] = []
    for stream in STREAMS:
        live = await _stream(nc, stream.name)
        missing = [need for need in stream.needs if await _consumer(nc, need) is None]
        if live is not None and missing:
            # A stream remembers how far it is in each source. The consumer of a source is missing when the source
            # was made anew and counts from 1 again: forget the old position, or nothing of it would ever arrive.
            lost = {need.stream for need in missing}
            kept = [source for source in live.get("sources") or [] if source["name"] not in lost]
            if len(kept) < len(live.get("sources") or []):
                live = live | {"sources": kept}
                changes.append(_stream_change("detach", stream.name, ", ".join(sorted(lost)), live))
        changes += [_consumer_change("create", need, {}) for need in missing]
        changes += _stream_changes(stream, live, replicas)
        changes += [change for need in stream.needs if need not in missing for change in await _updates(nc, need)]
    for consumer in CONSUMERS:
        changes += await _updates(nc, consumer)
    return changes


def _stream_changes(stream: Stream, live: Config | None, replicas: int) -> list[Change]:
    wanted: Config = stream.config | {"name": stream.name, "num_replicas": replicas}
    if live is None:
        if stream.name == subjects.EVENTS:
            wanted["metadata"] = {subjects.INCARNATION: new_id()}
        return [_stream_change("create", stream.name, "", wanted)]
    target = live | _widened(wanted, live)
    differing = [key for key in wanted if not _equal(target.get(key), live.get(key))]
    if not differing:
        return []
    action = "attach" if differing == ["sources"] else "update"
    return [_stream_change(action, stream.name, ", ".join(differing), target)]


def _widened(wanted: Config, live: Config) -> Config:
    """Return `wanted` with every field that would narrow the live stream left as it is."""
    result = dict(wanted)
    for key in _IMMUTABLE:
        if wanted[key] != live[key]:
            raise ApplyError(
                f"stream {wanted['name']} has {key} {live[key]!r}, needs {wanted[key]!r}: that cannot be changed "
                "in place; move its messages to a new stream first"
            )
    for key in _ONCE_ON:
        if live.get(key):
            result[key] = True
    for key in _LIMITS:
        if key in wanted:
            result[key] = _looser(wanted[key], live.get(key, -1))
    result["num_replicas"] = max(wanted["num_replicas"], live.get("num_replicas", 1))
    if "duplicate_window" in wanted:
        result["duplicate_window"] = max(wanted["duplicate_window"], live.get("duplicate_window", 0))
    if "subjects" in wanted:
        extra = [subject for subject in live.get("subjects") or [] if subject not in wanted["subjects"]]
        result["subjects"] = wanted["subjects"] + extra
    return result


def _looser(wanted: int, live: int) -> int:
    """Return the looser of two limits; nothing above 0 means none."""
    if wanted <= 0 or live <= 0:
        return wanted if wanted <= 0 else live
    return max(wanted, live)


async def _updates(nc: Client, consumer: Consumer) -> list[Change]:
    live = await _consumer(nc, consumer)
    if live is None:
        return [_consumer_change("create", consumer, {})]
    differing = [drift.field for drift in _drift("", consumer.config, live)]
    stuck = [name for name in differing if name in _FIXED_AT_CREATION]
    if stuck:
        raise ApplyError(
            f"consumer {consumer.key} was created with another {', '.join(stuck)}; that cannot be changed in place: "
            "give it a new name in a migration"
        )
    return [_consumer_change("update", consumer, live, ", ".join(differing))] if differing else []


def _stream_change(action: str, name: str, detail: str, config: Config) -> Change:
    verb = "CREATE" if action == "create" else "UPDATE"
    return Change(f"stream {name}", action, detail, f"STREAM.{verb}.{name}", config)


def _consumer_change(action: str, consumer: Consumer, live: Config, detail: str = "") -> Change:
    config = live | consumer.config | {"durable_name": consumer.name, "name": consumer.name}
    api = f"CONSUMER.CREATE.{consumer.stream}.{consumer.name}"
    if "filter_subject" in config:
        api += f".{config['filter_subject']}"
    body = {"stream_name": consumer.stream, "action": action, "config": config}
    return Change(f"consumer {consumer.key}", action, detail, api, body)


def _drift(target: str, wanted: Config, live: Config | None) -> list[Drift]:
    if live is None:
        return [Drift(target, "", wanted, None)]
    return [
        Drift(target, key, value, live.get(key)) for key, value in wanted.items() if not _equal(value, live.get(key))
    ]


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Compare as the server does: absent and empty are the same."""
    return one == other or (one in _FALSY_WHEN_ABSENT and other in _FALSY_WHEN_ABSENT)


async def _stream(nc: Client, name: str) -> Config | None:
    return await _config(nc, f"STREAM.INFO.{name}")


async def _consumer(nc: Client, consumer: Consumer) -> Config | None:
    return await _config(nc, f"CONSUMER.INFO.{consumer.stream}.{consumer.name}")


async def _config(nc: Client, api: str) -> Config | None:
    try:
        answer = await _ask(nc, api, {})
    except _NotFoundError:  # it will be created
        return None
    config: Config = answer["config"]
    return config


class _NotFoundError(ApplyError):
    pass


async def _ask(nc: Client, api: str, body: Config) -> Config:
    raw = await nc.request(f"$JS.API.{api}", json.dumps(body).encode(), timeout=15)
    answer: Config = json.loads(raw.data)
    if "error" in answer:
        error = answer["error"]
        kind = _NotFoundError if error.get("err_code") in _NOT_FOUND else ApplyError
        raise kind(f"{api}: {error.get('description')} ({error.get('err_code')})")
    return answer
