"""A mail in the browser: `/v/{view}`, the link that `{{ webViewUrl }}` stands for. GET shows it and changes nothing.

The token says whose mail; a sender renders it as it went out, from what the planner keeps of it (the tracker holds no
template and no key of a signature). A mail that was erased is 410 with a page that says so; where no sender answers it
is 503, to be asked again. A few are rendered at a time and a few more wait, so that no flood of one link slows the
sending down. What a template says runs no script here: the page is in a sandbox.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from starlette.types import Receive, Scope, Send

from services.tracker import pages
from services.tracker.edge import answer, not_found
from services.tracker.unsubscribe import language_of
from shared.contracts.commands import Viewed, ViewWanted
from shared.keys import KeyRing
from shared.tokens import VIEW_PATH, RecipientToken, verify_view

log = logging.getLogger(__name__)

AT_A_TIME = 2
REST_S = 0.05
"""So long a turn rests: forty mails a second at most, whoever asks."""
WAITING = 30

Ask = Callable[[bytes], Awaitable[bytes | None]]
"""Asks any sender; None where none answers."""

_ALLOW = [(b"allow", b"GET, HEAD"), (b"content-length", b"0"), (b"cache-control", b"no-store, private")]
_POLICY = (
    b"default-src 'none'; img-src * data:; style-src * 'unsafe-inline'; font-src * data:; form-action 'none'; "
    b"base-uri 'none'; frame-ancestors 'none'; "
    b"sandbox allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation"
)
_HEADERS = [
    *((name, value) for name, value in pages.HEADERS if name != b"content-security-policy"),
    (b"content-security-policy", _POLICY),
]


class WebView:
    """ASGI application of mails in the browser."""

    def __init__(self, key_ring: KeyRing) -> None:
        self._key_ring = key_ring
        self._ask: Ask | None = None
        self._turns = asyncio.Semaphore(AT_A_TIME)
        self._waiting = 0

    def attach(self, ask: Ask) -> None:
        """Ask this from now on."""
        self._ask = ask

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status."""
        whose = verify_view(self._key_ring, scope["path"][len(VIEW_PATH) :])
        if whose is None:
            return await not_found(scope, receive, send)
        if scope["method"] not in {"GET", "HEAD"}:
            return await answer(send, 405, _ALLOW)
        return await self._answer(scope, send, await self._seen(whose))

    async def _answer(self, scope: Scope, send: Send, seen: Viewed) -> int:
        if seen.state == "shown":
            status, headers, body = 200, list(_HEADERS), seen.html.encode()
        else:
            language = language_of(scope)
            status, page = (410, pages.gone(language)) if seen.state == "gone" else (503, pages.later(language))
            headers, body = [*page.headers, *([(b"retry-after", b"5")] if status == 503 else [])], page.body
        headers.append((b"content-length", str(len(body)).encode()))
        return await answer(send, status, headers, b"" if scope["method"] == "HEAD" else body)

    async def _seen(self, whose: RecipientToken) -> Viewed:
        if self._ask is None or self._waiting >= WAITING:
            return Viewed(state="later")
        self._waiting += 1
        try:
            await self._turns.acquire()
            try:
                raw = await self._ask(_wanted(whose))
            finally:
                asyncio.get_running_loop().call_later(REST_S, self._turns.release)
            return Viewed(state="later") if raw is None else Viewed.unpacked(raw)
        except Exception as error:  # noqa: BLE001 - not connected just now, or another version answers: try again
            log.warning("a mail is not shown: %s", type(error).__name__)
            return Viewed(state="later")
        finally:
            self._waiting -= 1


def _wanted(whose: RecipientToken) -> bytes:
    return ViewWanted(mailing=whose.mailing, n=whose.n, index=whose.index).model_dump_json().encode()
