"""The application of one service: its requests under `/v1`, its document at `/openapi.json`.

It is a Starlette application, on which pages can be mounted beside the API: nobody here would use what FastAPI adds,
which takes 6 MiB. Everything under `/v1` answers in JSON, what is not there and what was not foreseen included.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Literal

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.contracts.api import ENDPOINTS, FLOWS, VERSION
from shared.contracts.commands import Refusal
from shared.ids import new_id
from shared.messaging.answers import CommandRouter
from shared.messaging.http.calls import Call
from shared.messaging.http.gate import Gate
from shared.messaging.http.problems import problem
from shared.messaging.http.settings import HttpSettings

logger = logging.getLogger(__name__)

Respond = Callable[[Request], Awaitable[Response]]

_NOT_FOUND = Refusal(code="not_found", message="There is nothing here. /openapi.json says what there is.")


def create_app(
    service: Literal["planner", "reporting"],
    requests: CommandRouter,
    gate: Gate,
    settings: HttpSettings,
    flows: Mapping[str, Respond],
) -> Starlette:
    """Return the application; `flows` are its uploads, exports and live streams by name.

    Raises:
        ValueError: A request or flow of the service has nobody who answers it.
    """
    routes: list[Route] = []
    for flow in (flow for flow in FLOWS if flow.service == service):
        if flow.name not in flows:
            raise ValueError(f"nobody answers {flow.name}")
        routes.append(Route(flow.path, flows[flow.name], methods=[flow.method], name=flow.name))
    for endpoint in (endpoint for endpoint in ENDPOINTS if endpoint.service == service):
        if endpoint.name not in requests.names:
            raise ValueError(f"nobody answers {endpoint.name}")
        call = Call(endpoint, requests, gate, settings)
        routes.append(Route(endpoint.path, call.answer, methods=[endpoint.method], name=endpoint.name))
    api = Mount(VERSION, _Guarded(Router(routes, redirect_slashes=False)))
    return Starlette(routes=[Route("/openapi.json", partial(_document, service)), api])


async def _document(service: Literal["planner", "reporting"], _: Request) -> Response:
    from shared.messaging.http import document  # noqa: PLC0415 - models of all answers: only who asks for it pays

    return JSONResponse(document.of(service))


class _Guarded:
    """Answers with a problem whatever the routes did not."""

    def __init__(self, app: Router) -> None:
        self._app: ASGIApp = app
        self._routes = app.routes
        app.default = _not_found

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        begun = False

        async def watched(message: Any) -> None:  # noqa: ANN401 - a message of ASGI
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except HTTPException as error:  # the router's: the method is none of those that are there
            await self._refuse(error, scope, receive, send)
        except Exception:  # answered where nothing was sent yet; the connection is cut otherwise
            incident = new_id(8)
            logger.exception("request failed", extra={"incident": incident})
            if begun:
                raise
            message = f"Something went wrong on our side (incident {incident}); the logs say more."
            await problem(Refusal(code="internal", message=message))(scope, receive, send)

    async def _refuse(self, error: HTTPException, scope: Scope, receive: Receive, send: Send) -> None:
        if error.status_code == 405:
            allowed = dict(error.headers or {})
            message = f"{scope['method']} is not for this path."
            answer = problem(Refusal(code="method_not_allowed", message=message), allowed)
        else:
            answer = problem(_NOT_FOUND)
        await answer(scope, receive, send)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1000})
        return
    await problem(_NOT_FOUND)(scope, receive, send)
