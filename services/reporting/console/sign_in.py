"""Signing in and out: plain forms that work without JavaScript and without a WebSocket.

The page gives a random value in a cookie and its keyed hash in the form; what comes back must agree. Signing in asks
the planner for a session, whose token becomes the cookie of the browser: not readable by scripts, never sent along from
another site. Signing out ends the session at the planner, then takes the cookie away.
"""

import hmac
import logging
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from urllib.parse import quote, urlencode

import nicegui
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.reporting.console.desk import AwayError, Data

logger = logging.getLogger(__name__)

SESSION = "posthaste_session"
NAME = "posthaste_name"
ZONE = "posthaste_zone"
_FORM = "posthaste_form"
_LARGEST = 10_000

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>Sign in · Posthaste</title>
<link rel="stylesheet" href="/_nicegui/{version}/static/fonts.css">
<link rel="stylesheet" href="{style}"><script src="{script}" defer></script></head>
<body class="door"><main><h1 class="brand">Posthaste</h1>
<form class="form card" method="post" action="/sign-in">
<h2>Sign in</h2>
{problem}
<input type="hidden" name="form" value="{form}"><input type="hidden" name="next" value="{next}">
<div class="field"><label for="email"><span>E-mail address</span></label>
<input id="email" name="email" type="email" autocomplete="username" required value="{email}"{first}></div>
<div class="field"><label for="password"><span>Password</span></label>
<input id="password" name="password" type="password" autocomplete="current-password" required{second}></div>
<div class="buttons"><button class="button primary" type="submit">Sign in</button></div>
</form>
<p class="hint">No account yet? Whoever runs Posthaste adds you with <code>posthaste user add</code>.</p>
</main></body></html>
"""

Open = Callable[[str, str, Request], Awaitable[tuple[Data, str]]]
Close = Callable[[str, Request], Awaitable[None]]


@dataclass(frozen=True)
class Door:
    """How people come in.

    Attributes:
        open: E-mail and password -> a session with the name of its user, or what is wrong.
        close: Ends a session.
        secure: Whether the browser speaks TLS.
        key: Signs the form.
        style: Where the style sheet is.
        script: Where the script is.
    """

    open: Open
    close: Close
    secure: Callable[[Request], bool]
    key: bytes
    style: str
    script: str

    def stand(self, app: FastAPI) -> None:
        """Serve `/sign-in` and `/sign-out`."""
        app.add_api_route("/sign-in", self.page, methods=["GET"], include_in_schema=False)
        app.add_api_route("/sign-in", self.enter, methods=["POST"], include_in_schema=False)
        app.add_api_route("/sign-out", self.leave, methods=["POST"], include_in_schema=False)

    async def page(self, request: Request) -> Response:
        """Show the form."""
        return self._form(request, after=local(request.query_params.get("next", "")))

    async def enter(self, request: Request) -> Response:
        """Open a session, or show what is wrong."""
        if int(request.headers.get("content-length") or 0) > _LARGEST:
            return HTMLResponse("too large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        form = await request.form()
        email, after = str(form.get("email", "")).strip(), local(str(form.get("next", "")))
        expected = self._hash(request.cookies.get(_FORM, ""))
        if not request.cookies.get(_FORM) or not hmac.compare_digest(expected, str(form.get("form", ""))):
            return self._form(request, "The page was too old. Please try again.", email, after)
        try:
            session, problem = await self.open(email, str(form.get("password", "")), request)
        except AwayError as error:  # the person tries again
            return self._form(request, str(error), email, after, HTTPStatus.SERVICE_UNAVAILABLE)
        if problem:
            return self._form(request, problem, email, after, HTTPStatus.FORBIDDEN)
        response = RedirectResponse(after or "/", HTTPStatus.SEE_OTHER)
        secure = self.secure(request)
        response.set_cookie(SESSION, session["session"], httponly=True, samesite="strict", secure=secure)
        response.set_cookie(NAME, quote(session["name"]), httponly=True, samesite="strict", secure=secure)
        response.delete_cookie(_FORM, path="/sign-in")
        return response

    async def leave(self, request: Request) -> Response:
        """End the session, as far as the planner answers; the cookie goes in any case."""
        token = request.cookies.get(SESSION, "")
        if token:
            try:
                await self.close(token, request)
            except AwayError:  # the session ends by its age
                logger.warning("a session could not be closed: the planner does not answer")
        response = RedirectResponse("/sign-in", HTTPStatus.SEE_OTHER)
        response.delete_cookie(SESSION)
        response.delete_cookie(NAME)
        return response

    def _hash(self, value: str) -> str:
        return hmac.digest(self.key, f"sign in {value}".encode(), "sha256").hex()

    def _form(
        self, request: Request, problem: str = "", email: str = "", after: str = "", status: int = HTTPStatus.OK
    ) -> Response:
        value = request.cookies.get(_FORM) or secrets.token_urlsafe(24)
        said = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
        page = _PAGE.format(
            style=self.style,
            script=self.script,
            version=nicegui.__version__,
            problem=said,
            form=self._hash(value),
            next=escape(after),
            email=escape(email),
            first="" if email else " autofocus",
            second=" autofocus" if email else "",
        )
        response = HTMLResponse(page, status, {"Cache-Control": "no-store"})
        response.set_cookie(
            _FORM, value, httponly=True, samesite="strict", secure=self.secure(request), path="/sign-in"
        )
        return response


def local(path: str) -> str:
    """Return the path if it leads into this console, else ""."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and "\n" not in path else ""


def way_in(request: Request) -> RedirectResponse:
    """Lead to the sign-in, and from there back to where the person wanted to go."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse("/sign-in" + (f"?{urlencode({'next': target})}" if target != "/" else ""), 303)
