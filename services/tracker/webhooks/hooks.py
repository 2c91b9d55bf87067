"""The HTTP side of webhooks: `POST /hooks/{provider}`, answered 200 once everything it says is in the log or the spool.

No key in the settings: 404, as for any unknown path. Not believed, or too old: 401. Signed and yet no JSON: 400. Too
large: 413; too slow: 408. What cannot be kept or checked now, or comes while too much is being read: 503, and the
provider comes again. What all requests of a provider hold together is bounded (`room`), and long batches let others go
first. Logs and metrics say the provider and the outcome, nothing of what was said.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Literal, Protocol

from starlette.types import Receive, Scope, Send

from services.tracker import metrics
from services.tracker.edge import (
    BODY_SECONDS,
    BodyTooLargeError,
    BodyTooSlowError,
    Headers,
    answer,
    header,
    not_found,
    read_body,
)
from services.tracker.feedback.report import Report
from services.tracker.recorder import NotKeptError
from services.tracker.webhooks.amazon import UnreachableError
from services.tracker.webhooks.providers import Provider, RefusedError
from services.tracker.webhooks.room import BusyError, Room
from shared.clock import now

log = logging.getLogger(__name__)

HOOKS_PATH = "/hooks/"
HOOKS_KIND = HOOKS_PATH[:3]
"""By which the edge tells it from other paths."""

MAX_HOOK_BODY = 2 * 1024 * 1024
MAX_READING = 8 * 1024 * 1024
"""Bytes for each provider."""

FLOOR = 16 * 1024
"""Bytes a second: what comes more slowly is ended."""

Outcome = Literal[
    "recorded", "forged", "replayed", "malformed", "too_large", "too_slow", "busy", "unreachable", "not_kept"
]

_AT_ONCE = 20
_STATUS: dict[Outcome, int] = {
    "recorded": 200,
    "forged": 401,
    "replayed": 401,
    "malformed": 400,
    "too_large": 413,
    "too_slow": 408,
    "busy": 503,
    "unreachable": 503,
    "not_kept": 503,
}
_HEADERS: Headers = [(b"content-length", b"0"), (b"cache-control", b"no-store")]
_CLOSE = (b"connection", b"close")
_MORE: dict[int, Headers] = {
    401: [(b"www-authenticate", b'Basic realm="webhooks"'), _CLOSE],
    408: [_CLOSE],
    413: [_CLOSE],
    503: [(b"retry-after", b"60"), _CLOSE],
}


class Desk(Protocol):
    """Records what providers say."""

    async def tell(self, reports: Sequence[Report], source: str) -> None:
        """Return once the reports are safe; raises `NotKeptError` where they are not."""


class Hooks:
    """ASGI application of `/hooks/{provider}`; `providers` are those whose keys are in the settings."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        desk: Desk,
        *,
        most: int = MAX_READING,
        seconds: float = BODY_SECONDS,
    ) -> None:
        self._providers = providers
        self._desk = desk
        self._rooms = {name: Room(most) for name in providers}
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status."""
        name = scope["path"][len(HOOKS_PATH) :] if scope["path"].startswith(HOOKS_PATH) else ""
        provider = self._providers.get(name)
        if provider is None:
            return await not_found(scope, receive, send)
        if scope["method"] != "POST":
            return await answer(send, 405, [*_HEADERS, (b"allow", b"POST")])
        outcome = await self._outcome(name, provider, scope, receive)
        metrics.WEBHOOKS.labels(name, outcome).inc()
        status = _STATUS[outcome]
        return await answer(send, status, [*_HEADERS, *_MORE.get(status, [])])

    async def _outcome(self, name: str, provider: Provider, scope: Scope, receive: Receive) -> Outcome:
        headers = {key: value.decode("latin-1") for key, value in scope["headers"]}
        with self._rooms[name].place() as place:
            try:
                provider.early(headers)
                if _announced(header(scope, b"content-length")) > MAX_HOOK_BODY:
                    return "too_large"
                async with place.unproven():
                    body = await read_body(place.counting(receive), MAX_HOOK_BODY, self._seconds, FLOOR)
                    said = await provider.check(headers, body, now())
                await self._record(name, said)
            except RefusedError as refused:
                return refused.why
            except BodyTooLargeError:
                return "too_large"
            except BodyTooSlowError:
                return "too_slow"
            except BusyError:
                return "busy"
            except UnreachableError as error:
                log.warning("webhook %s: %s; it is asked to come again", name, error)
                return "unreachable"
            except NotKeptError as error:
                log.error("webhook %s: not kept, it is asked to come again: %s", name, error)  # noqa: TRY400 - cause is said
                return "not_kept"
        return "recorded"

    async def _record(self, name: str, said: Iterable[Report]) -> None:
        reports = iter(said)
        while some := list(islice(reports, _AT_ONCE)):
            await self._desk.tell(some, name)
            await asyncio.sleep(0)  # a click does not wait for a batch to end


def _announced(length: str) -> int:
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else 0
