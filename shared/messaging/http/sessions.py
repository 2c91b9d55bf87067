"""Sessions of people at browsers: who signs in gets the session as a cookie besides, who signs out loses it.

A script cannot read the cookie, so `session.close` may leave the session out where the cookie goes along, from a page
of our own.
"""

from datetime import datetime
from typing import Any

from starlette.requests import Request

from shared import clock
from shared.contracts.commands import CloseSession, OpenSession
from shared.messaging.http.gate import SESSION_COOKIE, own_page


def complete(name: str, request: Request, given: dict[str, Any]) -> None:
    """Fill in the session that is to be closed."""
    session = request.cookies.get(SESSION_COOKIE, "")
    if name == CloseSession.NAME and session and own_page(request):
        given.setdefault("session", session)


def cookie(name: str, data: dict[str, Any], *, secure: bool) -> dict[str, str]:
    """Return the header that gives a browser its session or takes it away; none for other requests."""
    if name == OpenSession.NAME:
        left = datetime.fromisoformat(data["expires_at"]) - clock.now()
        return _header(data["session"], max(0, int(left.total_seconds())), secure=secure)
    return _header("", 0, secure=secure) if name == CloseSession.NAME else {}


def _header(session: str, seconds: int, *, secure: bool) -> dict[str, str]:
    held = f"{SESSION_COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}"
    return {"Set-Cookie": f"{held}; Secure" if secure else held}
