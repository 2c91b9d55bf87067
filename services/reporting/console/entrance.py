"""The console of a running reporting service: sessions become desks, files go through to the planner.

A session is believed as the API believes it, by the same principals; what the page asks afterwards goes over HTTP and
is checked there once more.
"""

from dataclasses import dataclass
from urllib.parse import unquote

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.reporting.console.asking import Asking
from services.reporting.console.desk import AwayError, Data, Desk
from services.reporting.console.mount import Asset, mount
from services.reporting.console.sign_in import NAME, SESSION, Door
from services.reporting.settings import ReportingSettings
from shared.contracts.commands import Refusal
from shared.eventlog.errors import UnavailableError
from shared.keys import KeyRing
from shared.messaging.http.remote import Remote
from shared.messaging.http_client import HttpClient
from shared.messaging.principals import Principals
from shared.messaging.service import Service

_SECONDS = 60.0
_PATIENCE = 3.0


@dataclass(frozen=True)
class Entrance:
    """Knows who comes in."""

    principals: Principals
    client: HttpClient
    remote: Remote

    def asking(self, request: Request, session: str = "") -> Asking:
        """Return what asks in the name of whoever has the session."""
        return Asking(self.client.in_the_name_of(session, self.remote.address(request)))

    async def admit(self, session: str, request: Request) -> Desk | None:
        """Return the desk of a session, None where it does not hold."""
        try:
            principal = await self.principals.authenticate(session)
        except UnavailableError as error:
            raise AwayError("Sessions cannot be looked at at present.") from error
        if principal is None or principal.kind != "user":
            return None
        name = unquote(request.cookies.get(NAME, "")) or principal.id
        return Desk(principal.id, name, principal.permissions, self.asking(request, session))

    async def open(self, email: str, password: str, request: Request) -> tuple[Data, str]:
        """Open a session, or say what is wrong."""
        return await self.asking(request).open(email, password)

    async def close(self, session: str, request: Request) -> None:
        """End a session."""
        await self.asking(request).close(session)

    async def upload(self, request: Request) -> Response:
        """Hand a file through to the planner as it comes."""
        session = request.cookies.get(SESSION, "")
        try:
            if await self.admit(session, request) is None:  # before a large file is on its way
                return JSONResponse({"message": "Your session has ended. Sign in again."}, 401)
            answer = await self.asking(request, session).upload(request.stream())
        except AwayError as error:  # the person chooses it again
            return JSONResponse({"message": str(error)}, 503)
        if isinstance(answer, Refusal):
            return JSONResponse({"code": answer.code, "message": answer.message}, 422)
        return JSONResponse(answer)


def console_of(service: Service, settings: ReportingSettings, principals: Principals, keys: KeyRing) -> FastAPI:
    """Return the console as an application of its own."""
    host = "127.0.0.1" if settings.http_host in ("0.0.0.0", "::") else settings.http_host  # noqa: S104 - compared only
    own = f"http://{host}:{settings.http_port}"
    client = HttpClient(settings.planner_url, own, "", seconds=_SECONDS, patience=_PATIENCE)
    service.on_stop(client.close)
    remote = Remote(settings.trusted_proxies)
    entrance = Entrance(principals, client, remote)

    def door(style: Asset, script: Asset) -> Door:
        key = keys.token_keys[keys.active]
        return Door(entrance.open, entrance.close, remote.secure, key, style.path, script.path)

    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.add_api_route("/uploads", entrance.upload, methods=["POST"])
    mount(app, entrance.admit, door)
    return app
