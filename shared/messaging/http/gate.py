"""Who may pass: a token says who asks, the row of the request which permission is needed.

In: `Authorization: Bearer <token>`, or the cookie of a session. Out: the principal, or a problem: 401 without a token
that holds, 403 without the permission, 429 where somebody asks too often. An address that shows many wrong tokens is
turned away before its next one is looked at. A cookie goes along with whatever a page of somebody else makes a browser
send, so with it whatever is no GET must come from a page of our own (`Origin`, or `Sec-Fetch-Site`).
"""

import math
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from shared import metrics
from shared.contracts.commands import Refusal
from shared.contracts.principals import Permission, Principal
from shared.eventlog.errors import UnavailableError
from shared.messaging.http.problems import problem
from shared.messaging.http.rates import Buckets
from shared.messaging.http.remote import Remote
from shared.messaging.http.settings import HttpSettings

SESSION_COOKIE = "posthaste_session"
LONGEST_TOKEN = 500

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

TURNED_AWAY = metrics.counter("posthaste_http_turned_away_total", "Requests that were not let in", ("why",))


class Authenticator(Protocol):
    """Knows whose a token is."""

    async def authenticate(self, bearer: str) -> Principal | None:
        """Return whose token of a program or a session this is, None if it is nobody's (any more).

        Raises:
            UnavailableError: It cannot be told at present.
        """


class Gate:
    """Lets requests in, or says why not."""

    def __init__(self, principals: Authenticator, settings: HttpSettings) -> None:
        self._principals = principals
        self._remote = Remote(settings.trusted_proxies)
        self._asked = Buckets(settings.http_rate, settings.http_burst)
        self._failed = Buckets(settings.http_failures / 60, settings.http_failures)

    async def admit(self, request: Request, permission: Permission) -> Principal | Response:
        """Return who asks, if that principal may do what needs `permission`."""
        principal = await self.known(request)
        if not isinstance(principal, Principal):
            return principal
        if not principal.may(permission):
            TURNED_AWAY.labels("permission").inc()
            return problem(Refusal(code="forbidden", message=f"This needs the permission {permission}."))
        return principal

    def anybody(self, request: Request) -> Response | None:
        """Return why not even somebody unknown may ask: too much went wrong from that address."""
        if wait := self._failed.wait(self._remote.address(request)):
            return _later(wait, "Too many wrong tokens came from this address.", "failures")
        return None

    def failed(self, request: Request) -> None:
        """Note that somebody did not prove who they are."""
        self._failed.take(self._remote.address(request))

    async def known(self, request: Request) -> Principal | Response:
        """Return who asks, whatever that principal may do."""
        if (turned_away := self.anybody(request)) is not None:
            return turned_away
        bearer, cookie = _token(request)
        try:
            principal = await self._principals.authenticate(bearer) if 0 < len(bearer) <= LONGEST_TOKEN else None
        except UnavailableError:  # nobody can be told apart at present: the caller asks again
            return problem(Refusal(code="unavailable", message="Tokens cannot be looked at at present. Ask again."))
        if principal is None:
            if bearer:
                self.failed(request)
            TURNED_AWAY.labels("token").inc()
            message = "This token is not valid (any more)." if bearer else "Give a token: `Authorization: Bearer ...`."
            return problem(Refusal(code="unauthenticated", message=message))
        if cookie and request.method not in _SAFE and not own_page(request):
            TURNED_AWAY.labels("origin").inc()
            return problem(Refusal(code="origin_foreign", message="With a cookie this must come from a page of ours."))
        if wait := self._asked.take(principal.id):
            return _later(wait, "You ask too often.", "rate")
        return principal

    def remote(self, request: Request) -> str:
        """Return the address a request comes from."""
        return self._remote.address(request)

    def secure(self, request: Request) -> bool:
        """Tell whether whoever asks speaks TLS."""
        return self._remote.secure(request)


def own_page(request: Request) -> bool:
    """Tell whether a browser says that the request comes from a page of this very host."""
    origin = request.headers.get("origin", "")
    if origin:
        return urlsplit(origin).netloc == request.headers.get("host", "")
    return request.headers.get("sec-fetch-site", "") == "same-origin"


def _token(request: Request) -> tuple[str, bool]:
    """Return the token, and whether it came as a cookie."""
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return bearer.strip(), False
    session = request.cookies.get(SESSION_COOKIE, "")
    return session, bool(session)


def _later(wait: float, message: str, why: str) -> Response:
    TURNED_AWAY.labels(why).inc()
    seconds = max(1, math.ceil(wait))
    refusal = Refusal(code="rate_limited", message=f"{message} Come again in {seconds} s.")
    return problem(refusal, {"Retry-After": str(seconds)})
