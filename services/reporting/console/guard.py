"""What stands before every page: only our own pages may talk to the console, and a page may load from nowhere else.

A WebSocket or a request that changes something must name this very server as its origin: a browser tells where it comes
from, and no other site can forge that. The policy lets scripts, styles and connections come from here alone, also in
previews of mails; nobody may frame a page.
"""

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; frame-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Guard:
    """Middleware for everything but the API, which has a gate of its own."""

    def __init__(self, app: ASGIApp, *, api: str) -> None:
        self._app = app
        self._api = api

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through what comes from our own pages."""
        if scope["type"] not in ("http", "websocket") or scope["path"].startswith(self._api):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if scope["type"] == "websocket":
            if not _same(headers):
                await send({"type": "websocket.close", "code": 1008, "reason": "another origin"})
                return
            await self._app(scope, receive, send)
            return
        if scope["method"] not in _SAFE and not _same(headers):
            await PlainTextResponse("This did not come from a page of this console.\n", 403)(scope, receive, send)
            return

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    answer.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, marked)


def _same(headers: Headers) -> bool:
    """Tell whether the origin is the server that is asked."""
    origin = headers.get("origin", "")
    return bool(origin) and urlsplit(origin).netloc == headers.get("host", "")
