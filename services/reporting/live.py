"""Live streams: server-sent events about one mailing, or about all mailings and campaigns.

A stream begins with what there is or, with `Last-Event-ID`, with what changed since, and goes on with what changes. The
projector wakes it; it gathers for a moment, then gives the numbers of what changed. The id of an event is the position
in the log from which to go on; where an instant brings several events the last one has it, so a connection that breaks
in between loses none. Who listens slowly gets the newest numbers, not all of them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.reporting.changes import Changed, Changes
from services.reporting.numbers import Numbers
from services.reporting.queries import Data
from shared import metrics
from shared.contracts import api
from shared.contracts.commands import Refusal
from shared.contracts.principals import Principal
from shared.messaging.http.calls import encoded
from shared.messaging.http.gate import Gate
from shared.messaging.http.problems import problem
from shared.messaging.http.settings import HttpSettings

GATHER = 0.2
HEARTBEAT = 15.0
FADES = 3.0  # a rate sinks while nothing happens: how often it is looked at

_LOOK = 1.0
_RETRY = b"retry: 2000\n\n"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_NO_MAILING = Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
_LISTENERS = metrics.gauge("posthaste_live_listeners_count", "Live streams that are open")


class Live:
    """Serves the streams until `stopping` is set."""

    def __init__(
        self, numbers: Numbers, changes: Changes, gate: Gate, settings: HttpSettings, stopping: asyncio.Event
    ) -> None:
        self.numbers = numbers
        self.changes = changes
        self.stopping = stopping
        self._gate = gate
        self._settings = settings
        self._listeners = 0

    async def mailing(self, request: Request) -> Response:
        """Open the stream of one mailing."""
        principal = await self._gate.admit(request, api.LIVE_MAILING.permission)
        if not isinstance(principal, Principal):
            return principal
        only = ("mailing", request.path_params["mailing"])
        return self._opened(request, [only]) if await self.numbers.read([only]) else problem(_NO_MAILING)

    async def everything(self, request: Request) -> Response:
        """Open the stream of all mailings and campaigns."""
        principal = await self._gate.admit(request, api.LIVE.permission)
        return self._opened(request, None) if isinstance(principal, Principal) else principal

    def _opened(self, request: Request, only: Sequence[Changed] | None) -> Response:
        last = request.headers.get("last-event-id", "")
        if last and not (last.isascii() and last.isdecimal()):
            return problem(Refusal(code="invalid", message="Give the id of an event.", field="Last-Event-ID"))
        if self._listeners >= self._settings.http_listeners:
            return problem(Refusal(code="too_many_listeners", message="Too many listen already. Come again later."))
        if not self.changes.position:
            self.changes.begin(self.numbers.position)
        end = time.monotonic() + self._settings.http_live_seconds
        stream = self._counted(_Listener(self, only, end).frames(int(last) if last else None))
        return StreamingResponse(stream, headers=_HEADERS, media_type="text/event-stream")

    async def _counted(self, frames: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        self._listeners += 1
        _LISTENERS.set(self._listeners)
        try:
            yield _RETRY
            async for frame in frames:
                yield frame
        finally:
            self._listeners -= 1
            _LISTENERS.set(self._listeners)


class _Listener:
    """One stream: who listens, to what, and how far it is."""

    def __init__(self, live: Live, only: Sequence[Changed] | None, end: float) -> None:
        self._live = live
        self._only = only
        self._end = end
        self._position = 0
        self._said = self._looked = time.monotonic()
        self._moving: set[Changed] = set()  # whose rate sinks by itself

    async def frames(self, last: int | None) -> AsyncIterator[bytes]:
        """Yield what there is, or what changed since `last`, then what changes, to the end."""
        if last is not None and last > self._live.numbers.position:  # another instance was further: a moment
            await self._live.changes.beyond(last - 1, _LOOK)
        self._position = self._live.numbers.position
        known = last is not None and last <= self._position
        wanted = await self._since(last) if last is not None and known else await self._all()
        while True:
            for frame in await self._told(wanted):
                self._said = time.monotonic()
                yield frame
            while not self._over and not await self._live.changes.beyond(self._position, _LOOK) and not self._faded:
                if time.monotonic() - self._said > HEARTBEAT:
                    self._said = time.monotonic()
                    yield b": still here\nid: %d\n\n" % self._position
            if self._over:
                return
            await asyncio.sleep(GATHER)
            wanted = await self._next()

    @property
    def _over(self) -> bool:
        return self._live.stopping.is_set() or time.monotonic() > self._end

    @property
    def _faded(self) -> bool:
        return bool(self._moving) and time.monotonic() - self._looked > FADES

    async def _next(self) -> list[Changed]:
        reached = max(self._position, self._live.changes.position)
        wanted = await self._since(self._position)
        if self._faded:
            self._looked = time.monotonic()
            self._live.numbers.forget(self._moving)
            wanted += [each for each in self._moving if each not in wanted]
        self._position = reached
        return wanted

    async def _since(self, position: int) -> list[Changed]:
        changed = self._live.changes.since(position)
        if changed is None:  # it is too long ago
            return await self._all()
        return [each for each in self._only if each in changed] if self._only is not None else changed

    async def _all(self) -> list[Changed]:
        return list(self._only) if self._only is not None else await self._live.numbers.everything()

    async def _told(self, wanted: Sequence[Changed]) -> list[bytes]:
        found = await self._live.numbers.read(wanted)
        self._moving -= set(wanted)
        self._moving |= {each for each, data in found.items() if data.get("rate")}
        frames = [_event(kind, data) for (kind, _), data in found.items()]
        if frames:
            frames[-1] = b"id: %d\n" % self._position + frames[-1]
        return frames


def _event(kind: str, data: Data) -> bytes:
    return b"event: " + kind.encode() + b"\ndata: " + encoded(data) + b"\n\n"
