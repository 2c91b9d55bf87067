"""The HTTP edge: routes, what a request shows of its sender, bounded bodies, one 404 for whatever does not verify.

Requests come from anywhere; nothing here redirects except a verified click, and every unknown path, forged, truncated
or foreign token gets the same bytes. A handler that fails is answered 500 and logged with the path's kind only (a path
holds a token). Requests under way are counted, so that a stop can wait for them.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.routing import BaseRoute, Router
from starlette.types import Message, Receive, Scope, Send

from services.tracker import hits, metrics, pages
from shared import languages
from shared.clock import now

log = logging.getLogger(__name__)

MAX_BODY = 64 * 1024
BODY_SECONDS = 10.0
SILENT_SECONDS = 2.0
MAX_PATH = 6_000

Headers = list[tuple[bytes, bytes]]

Answering = Callable[[Scope, Receive, Send], Awaitable[int]]
"""An ASGI application that returns the status it answered."""


class BodyTooLargeError(Exception):
    """The body is larger than it may be."""


class BodyTooSlowError(Exception):
    """The body did not come in time, or the client went away."""


def header(scope: Scope, name: bytes) -> str:
    """Return the first value of a header, "" where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return str(value.decode("latin-1"))
    return ""


async def answer(send: Send, status: int, headers: Headers, body: bytes = b"") -> int:
    """Send a whole response; return its status."""
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
    return status


async def read_body(
    receive: Receive, limit: int = MAX_BODY, seconds: float = BODY_SECONDS, floor: float = 0.0
) -> bytes:
    """Return the body of a request, of `limit` bytes at most, when it comes within `seconds`.

    With a `floor` it has to come at so many bytes a second: it may be `SILENT_SECONDS` behind that, and no quick
    beginning makes up for a longer silence later.

    Raises:
        BodyTooLargeError: It is larger than allowed.
        BodyTooSlowError: It did not come in time.
    """
    parts: list[bytes] = []
    size = 0
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    due = min(end, clock() + SILENT_SECONDS) if floor else end
    try:
        async with asyncio.timeout_at(due) as patience:
            while True:
                message: Message = await receive()
                if message["type"] == "http.disconnect":
                    raise BodyTooSlowError
                part = message.get("body", b"")
                size += len(part)
                if size > limit:
                    raise BodyTooLargeError
                parts.append(part)
                if not message.get("more_body", False):
                    return b"".join(parts)
                if floor:
                    due = min(end, clock() + SILENT_SECONDS, due + len(part) / floor)
                    patience.reschedule(due)
    except TimeoutError as error:
        raise BodyTooSlowError from error


class Witness:
    """Says what a request shows of its sender; only `trusted` proxies may say for whom they speak."""

    def __init__(self, trusted: Sequence[str] = ()) -> None:
        self._trusted: list[IPv4Network | IPv6Network] = [ip_network(text) for text in trusted]
        self._is_trusted = lru_cache(maxsize=1024)(self._compare)

    def _compare(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:  # a name or nonsense: never trusted
            return False
        return any(ip.version == net.version and ip in net for net in self._trusted)

    def _client(self, scope: Scope, forwarded: str) -> str:
        client = str(scope["client"][0]) if scope.get("client") else ""
        if not forwarded or not self._is_trusted(client):
            return client
        for hop in reversed([part.strip() for part in forwarded.split(",")][-20:]):
            client = hop
            if not self._is_trusted(hop):
                break
        return client

    def seen(self, scope: Scope) -> hits.Seen:
        """Return the signals of a request."""
        agent = forwarded = ""
        prefetch = False
        for key, value in scope["headers"]:
            if key == b"user-agent":
                agent = value.decode("latin-1")
            elif key == b"x-forwarded-for":
                forwarded = value.decode("latin-1")
            elif key in {b"sec-purpose", b"purpose", b"x-moz", b"x-purpose"}:
                prefetch = prefetch or value.lower().startswith((b"prefetch", b"preview"))
        return hits.Seen(
            at=now(),
            method=scope["method"],
            agent=hits.agent_class(agent[:300], prefetch=prefetch),
            network=hits.network(self._client(scope, forwarded)),
        )


async def not_found(scope: Scope, receive: Receive, send: Send) -> int:  # noqa: ARG001 - as all that answer
    """Answer 404: the same for every reason."""
    page = pages.not_found(languages.chosen("", header(scope, b"accept-language")))
    headers = [*page.headers, (b"content-length", str(len(page.body)).encode())]
    return await answer(send, 404, headers, b"" if scope["method"] == "HEAD" else page.body)


async def _missing(scope: Scope, receive: Receive, send: Send) -> None:
    await not_found(scope, receive, send)


class Edge:
    """The outermost application: routes requests, counts them, answers for handlers that fail.

    `direct` maps the first three characters of a path to what answers it, so the hot ones skip the router.
    """

    def __init__(self, direct: Mapping[str, Answering], routes: Sequence[BaseRoute]) -> None:
        self._direct = direct
        self._router = Router(routes, redirect_slashes=False, default=_missing)
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        path: str = scope["path"]
        kind = path[:3]
        answering = self._direct.get(kind)
        if answering is None:
            kind, answering = "other", self._routed
        self._under_way += 1
        self._idle.clear()
        status = 0
        try:
            status = await (answering if len(path) <= MAX_PATH else not_found)(scope, receive, send)
        except Exception:  # answered 500 where nothing was sent yet; the service goes on
            log.exception("request for %r failed", kind)
            with contextlib.suppress(Exception):  # something was sent, or the client is gone
                status = await answer(send, 500, [(b"content-length", b"0")])
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
            metrics.requests(kind, status)

    async def _routed(self, scope: Scope, receive: Receive, send: Send) -> int:
        status = 0

        async def noting(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        await self._router(scope, receive, noting)
        return status

    async def idle(self, within: float) -> bool:
        """Wait until no request is under way, at most `within` seconds; return whether that came."""
        try:
            async with asyncio.timeout(within):
                await self._idle.wait()
        except TimeoutError:  # the stop goes on without the stragglers
            return False
        return True
