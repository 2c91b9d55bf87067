"""Unsubscribe: `/u/{token}`. The token alone says who leaves what, so it works for years, without any store.

GET shows a page and never unsubscribes (scanners follow links). POST with `List-Unsubscribe=One-Click` (RFC 8058) is
answered 200 at once, without a redirect; POST from the page says what happened and offers the way back. A repeat within
a few seconds is the same act (see `acts`), and whoever sends one form after the other is asked to wait (429, see
`allowance`). While the broker is away the act goes to the spool; if not even that takes it the answer is 503, never a
promise. `/s/{token}` confirms an opt-in in the same way: GET asks, a button confirms.
"""

from abc import ABC, abstractmethod
from urllib.parse import parse_qs

from starlette.types import Receive, Scope, Send

from services.tracker import pages
from services.tracker.acts import By, entry_of
from services.tracker.allowance import Allowance, TooManyError
from services.tracker.edge import BodyTooLargeError, BodyTooSlowError, answer, header, not_found, read_body
from services.tracker.forms import Act, act_of, fields, named
from services.tracker.list_names import ListNames
from services.tracker.pages import View
from services.tracker.recorder import NotKeptError, Recorder
from services.tracker.spans import A_SECOND, trace_act
from shared import languages
from shared.clock import now
from shared.ids import new_id
from shared.keys import KeyRing
from shared.languages import Language
from shared.tokens import (
    OPT_IN_PATH,
    UNSUBSCRIBE_PATH,
    OptInToken,
    UnsubscribeToken,
    today,
    verify_opt_in,
    verify_unsubscribe,
)
from shared.tracing import Rarely

ALLOWED = b"GET, HEAD, POST, OPTIONS"

Token = UnsubscribeToken | OptInToken


class _Acts(ABC):
    """What both links have in common: methods, bodies, the way into the log."""

    path: str

    def __init__(self, key_ring: KeyRing, recorder: Recorder, names: ListNames) -> None:
        self._key_ring = key_ring
        self._allowance = Allowance(recorder)
        self._names = names
        self._traced = Rarely(A_SECOND)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> int:
        """Serve one request; return the status."""
        token = self._verified(scope["path"][len(self.path) :])
        method = scope["method"]
        if token is None:
            return await not_found(scope, receive, send)
        if method == "POST":
            return await self._post(token, scope, receive, send)
        if method in {"GET", "HEAD"}:
            return await _show(send, *self._asked(token, await self._view(token, scope)), body=method == "GET")
        status = 204 if method == "OPTIONS" else 405
        return await answer(send, status, [(b"allow", ALLOWED), (b"cache-control", b"no-store")])

    async def _view(self, token: Token, scope: Scope) -> View:
        return View(language_of(scope), new_id(), await self._names.of(token.scope))

    async def _post(self, token: Token, scope: Scope, receive: Receive, send: Send) -> int:
        try:
            act = act_of(fields(header(scope, b"content-type"), await read_body(receive)), token.scope)
        except BodyTooLargeError:
            return await answer(send, 413, [(b"content-length", b"0"), (b"connection", b"close")])
        except BodyTooSlowError:
            return await answer(send, 408, [(b"content-length", b"0"), (b"connection", b"close")])
        return await _show(send, *await self._done(token, act, await self._view(token, scope)))

    async def _kept(self, token: Token, act: Act, view: View) -> int:
        """Return 200 once the act is safe, else the status that says why not; what a program said has read no words."""
        began = self._traced.begin()
        one_click = act.how == "one-click"
        words = "" if one_click else view.language.version
        by = By(token.address_key, token.mailing, token.n, token.index)
        try:
            await self._allowance.record(by, entry_of(by, act, now(), words), always=one_click)
        except TooManyError:  # no person is that quick; who is, tries again in a minute
            return 429
        except NotKeptError:  # counted by the recorder; the person or the machine tries again
            return 503
        trace_act("out" if act.kind == "out" else "in", token.mailing, token.n, began)
        return 200

    @abstractmethod
    def _verified(self, text: str) -> Token | None:
        """Return what the link says, None where it is not ours."""

    @abstractmethod
    def _asked(self, token: Token, view: View) -> tuple[int, pages.Page]:
        """Return the page that a GET shows."""

    @abstractmethod
    async def _done(self, token: Token, act: Act, view: View) -> tuple[int, pages.Page]:
        """Do what a POST asks for; return the page that says so."""


class Unsubscribe(_Acts):
    """ASGI application of `/u/{token}`."""

    path = UNSUBSCRIBE_PATH

    def _verified(self, text: str) -> Token | None:
        return verify_unsubscribe(self._key_ring, text)

    def _asked(self, _token: Token, view: View) -> tuple[int, pages.Page]:
        return 200, pages.ask(view)

    async def _done(self, token: Token, act: Act, view: View) -> tuple[int, pages.Page]:
        if act.kind == "stay":
            return 200, pages.stayed(view)
        if act.kind == "nothing chosen":
            return 400, pages.nothing_chosen(view)
        if act.kind not in {"out", "in"}:
            return 400, pages.unclear(view)
        if (status := await self._kept(token, act, view)) != 200:
            return status, pages.failed(view)
        if act.kind == "out":
            return 200, pages.unsubscribed(view, named(act.scope, token.scope))
        return 200, pages.subscribed(view)


class OptIn(_Acts):
    """ASGI application of `/s/{token}`."""

    path = OPT_IN_PATH

    def _verified(self, text: str) -> Token | None:
        return verify_opt_in(self._key_ring, text)

    def _asked(self, token: Token, view: View) -> tuple[int, pages.Page]:
        return (410, pages.expired(view)) if _too_late(token) else (200, pages.confirm(view))

    async def _done(self, token: Token, act: Act, view: View) -> tuple[int, pages.Page]:
        if _too_late(token):
            return 410, pages.expired(view)
        if act.kind != "confirm":
            return 400, pages.confirm(view, view.language.page.unclear_text)
        if (status := await self._kept(token, act, view)) != 200:
            return status, pages.confirm(view, view.language.page.failed_text)
        return 200, pages.confirmed(view)


def _too_late(token: Token) -> bool:
    return isinstance(token, OptInToken) and token.until < today(now())


def language_of(scope: Scope) -> Language:
    """Return the language a page is shown in: the link's or the switch's, else the browser's."""
    wanted = parse_qs(scope.get("query_string", b"").decode("latin-1")[:200]).get("lang", [""])[-1]
    return languages.chosen(wanted, header(scope, b"accept-language"))


async def _show(send: Send, status: int, page: pages.Page, *, body: bool = True) -> int:
    headers = [*page.headers, (b"content-length", str(len(page.body)).encode())]
    if status in {429, 503}:
        headers.append((b"retry-after", b"60"))
    return await answer(send, status, headers, page.body if body else b"")
