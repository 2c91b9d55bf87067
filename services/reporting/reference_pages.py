"""Where the reference and the documents it is made of are served: `/docs`, `/docs/<document>.json`.

What makes them is loaded when somebody asks: it knows the models of everything that is said, and few ever ask.
"""

import json

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def add_reference(app: Starlette) -> None:
    """Serve them."""
    app.add_route("/docs", _page)
    app.add_route("/docs/{name}.json", _document)


def _page(_: Request) -> Response:
    from services.reporting import reference  # noqa: PLC0415 - see above

    return Response(reference.page(), headers=_HEADERS, media_type="text/html; charset=utf-8")


def _document(request: Request) -> Response:
    from shared.contracts import asyncapi  # noqa: PLC0415 - see above
    from shared.messaging.http import document  # noqa: PLC0415 - see above

    match request.path_params["name"]:
        case "asyncapi":
            body = asyncapi.text()
        case "openapi-planner":
            body = json.dumps(document.of("planner"))
        case "openapi-reporting":
            body = json.dumps(document.of("reporting"))
        case _:
            return Response("There is no such document.\n", 404, _HEADERS, "text/plain; charset=utf-8")
    return Response(body, headers=_HEADERS, media_type="application/json")
