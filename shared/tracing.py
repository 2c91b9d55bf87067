"""Traces of an undertaking, normally a mailing: from the command to delivery to the click, in every service.

Nothing is carried along for them, in no event and in no mail: trace and span ids derive from the correlation id and
from ids that stand in the log anyway, so they survive restarts, replays and any number of senders (decision 0017). A
span is recorded when it is over.

Off unless `turn_on` finds an endpoint: then `begin` returns 0 and whoever gets 0 records nothing. A collector that is
away costs spans, never a mail. Names and attributes are ids, numbers and words of the program: no personal data.
"""

import os
import re
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from types import MappingProxyType
from typing import Literal, Protocol

from shared.settings import Settings

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value = str | int | float | bool

MOST_LINKS = 16
"""A span that concerns more undertakings or chunks names only so many."""

_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?", re.ASCII)
_STANDARD = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span stands: its trace, and its own id there."""

    trace: int
    span: int


@dataclass(frozen=True, slots=True)
class Span:
    """What was done, from when to when, in nanoseconds since 1970."""

    name: str
    kind: Kind
    place: Place
    parent: Place | None
    links: Sequence[Place]
    began: int
    ended: int
    failed: bool
    what: Mapping[str, Value]


class Recorder(Protocol):
    """Where spans go."""

    def record(self, span: Span) -> None:
        """Take a span; never waits."""

    def close(self) -> None:
        """Hand over what is left, for a few seconds at most."""


@dataclass(slots=True)
class _Tracing:
    recorder: Recorder | None = None
    share: float = 1.0


_tracing = _Tracing()


def _number(cause: str, size: int) -> int:
    return int.from_bytes(sha256(cause.encode()).digest()[:size]) or 1


def whole(correlation_id: str) -> Place:
    """Return the place of an undertaking as a whole: the root of its trace."""
    return piece(correlation_id)


def piece(correlation_id: str, *part: str | int) -> Place:
    """Return the place of a part of an undertaking that others refer to, e.g. `piece(mailing, "chunk", n)`."""
    cause = "\x1f".join(("span", correlation_id, *map(str, part)))
    return Place(_number(f"trace\x1f{correlation_id}", 16), _number(cause, 8))


def some(within: Place | None = None) -> Place:
    """Return a place that nobody refers to, in the trace of `within` or in one of its own."""
    return Place(within.trace if within else secrets.randbits(128) or 1, secrets.randbits(64) or 1)


def caller(traceparent: str) -> Place | None:
    """Return the place of the caller (W3C Trace Context), None where it named none or does not record itself."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or not int(found[3], 16) & 1 or not int(found[1], 16) or not int(found[2], 16):
        return None
    return Place(int(found[1], 16), int(found[2], 16))


def begin() -> int:
    """Return the present time for `record`, 0 while tracing is off."""
    return time.time_ns() if _tracing.recorder is not None else 0


def record(
    name: str,
    began: int,
    place: Place,
    *,
    kind: Kind = "internal",
    parent: Place | None = None,
    links: Sequence[Place] = (),
    ended: int = 0,
    failed: bool = False,
    always: bool = False,
    what: Mapping[str, Value] = MappingProxyType({}),
) -> None:
    """Record that something was done from `began` until now or `ended`; nothing where `began` is 0.

    Of all traces the share of the settings is recorded, and `always` what belongs to a caller's trace.
    """
    recorder = _tracing.recorder
    if not began or recorder is None or not (always or place.trace % 2**64 < _tracing.share * 2**64):
        return
    until = max(began, ended or time.time_ns())
    recorder.record(Span(name, kind, place, parent, links[:MOST_LINKS], began, until, failed, what))


class Rarely:
    """Lets through at most `rate` a second, for spans that could come with every request."""

    def __init__(self, rate: float) -> None:
        self._pause = int(1e9 / rate)
        self._next = 0

    def begin(self) -> int:
        """Return what `begin` returns, and 0 where it is too early."""
        now = begin()
        if now < self._next:
            return 0
        self._next = now + self._pause
        return now


def turn_on(service: str, settings: Settings) -> None:
    """Record from now on, if a collector is named in POSTHASTE_OTLP_ENDPOINT or in the standard variables."""
    if not settings.otlp_endpoint and not any(os.environ.get(name) for name in _STANDARD):
        return
    from shared.otlp import Collector  # noqa: PLC0415 - the SDK costs memory and a second: only who traces pays

    use(Collector(service, settings.otlp_endpoint), settings.trace_share)


def use(recorder: Recorder, share: float = 1.0) -> None:
    """Record `share` of all traces with `recorder`; all services choose the same ones."""
    _tracing.recorder, _tracing.share = recorder, share


def turn_off() -> None:
    """Hand over what is left and stop recording."""
    recorder, _tracing.recorder = _tracing.recorder, None
    if recorder is not None:
        recorder.close()
