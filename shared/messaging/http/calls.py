"""One request of the API, from HTTP to its handler and back.

Parts of the path and, of a command, the JSON body or, of a query, the parameters are the fields of the model; the same
handler answers as on NATS. A done request is 200 with `{"position", "data"}` and the position in `X-Position`; a
refusal is a problem. What takes longer than `http_answer_seconds` goes on by itself, so that asking again with the same
key finds it done.
"""

import asyncio
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from shared.contracts.api import RETIRED, Endpoint
from shared.contracts.commands import Answer, Command, Refusal
from shared.contracts.principals import Principal
from shared.messaging.answers import Asked, CommandRouter
from shared.messaging.http import sessions
from shared.messaging.http.bodies import BodyTooLargeError, BodyTooSlowError, whole
from shared.messaging.http.gate import Gate
from shared.messaging.http.problems import problem
from shared.messaging.http.settings import HttpSettings

JSON = "application/json"
KEY = "Idempotency-Key"
AT_LEAST = "X-At-Least"
POSITION = "X-Position"
LARGEST_POSITION = 2**63 - 1

_LONGEST_KEY = 100

_NO_JSON = Refusal(code="invalid", message="The body is no JSON object.")


class Call:
    """Answers one endpoint."""

    def __init__(self, endpoint: Endpoint, requests: CommandRouter, gate: Gate, settings: HttpSettings) -> None:
        self._endpoint = endpoint
        self._requests = requests
        self._gate = gate
        self._settings = settings
        self._changes = issubclass(endpoint.request, Command)
        self._has_body = endpoint.method in ("POST", "PUT")
        self._late: set[asyncio.Task[Answer]] = set()

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        anybody = self._endpoint.permission is None
        principal = self._gate.anybody(request) if anybody else await self._gate.known(request)
        if isinstance(principal, Response):
            return principal
        if self._endpoint.refusal(principal) is not None:  # refused by its handler, without a look at the body
            asked: Asked | Refusal = self._request(request, principal, {})
        else:
            asked = await self._asked(request, principal)
        answer = Answer(ok=False, refusal=asked) if isinstance(asked, Refusal) else await self._answered(asked)
        if anybody and answer.refusal is not None:
            self._gate.failed(request)
        headers = retirement(self._endpoint.name)
        if answer.refusal is not None:
            return problem(answer.refusal, headers)
        headers |= sessions.cookie(self._endpoint.name, answer.data, secure=self._gate.secure(request))
        body = encoded({"position": answer.position, "data": answer.data})
        return Response(body, 200, {POSITION: str(answer.position), "Cache-Control": "no-store"} | headers, JSON)

    async def _asked(self, request: Request, principal: Principal | None) -> Asked | Refusal:
        """Read a request."""
        given = await self._given(request)
        if isinstance(given, Refusal):
            return given
        at_least = given.pop("at_least", request.headers.get(AT_LEAST, "0")) if not self._changes else "0"
        if not (str(at_least).isascii() and str(at_least).isdecimal() and int(at_least) <= LARGEST_POSITION):
            return Refusal(code="invalid", message="A position is a whole number from 0.", field="at_least")
        key = request.headers.get(KEY, "") if self._changes else ""
        if len(key) > _LONGEST_KEY or not key.isascii() or not key.isprintable():
            return Refusal(code="invalid", message="A key is up to 100 characters of plain ASCII.", field="key")
        for name, value in request.path_params.items():
            if name in given:
                return Refusal(code="invalid", message="This field stands in the path alone.", field=name)
            given[name] = value
        sessions.complete(self._endpoint.name, request, given)
        return self._request(request, principal, given, key, int(at_least))

    def _request(
        self, request: Request, principal: Principal | None, data: dict[str, Any], key: str = "", at_least: int = 0
    ) -> Asked:
        remote = self._gate.remote(request)
        trace = request.headers.get("traceparent", "")
        return Asked(self._endpoint.name, data, principal, key, at_least, "http", remote, trace)

    async def _given(self, request: Request) -> dict[str, Any] | Refusal:
        """Return the fields that do not stand in the path."""
        parameters: dict[str, Any] = {}
        for name, value in request.query_params.multi_items():
            if name in parameters:
                return Refusal(code="invalid", message="This parameter is given twice.", field=name)
            parameters[name] = value
        if not self._has_body:
            return parameters
        allowed = set() if self._changes else {"at_least"}
        if unknown := parameters.keys() - allowed:
            return Refusal(code="invalid", message="Fields stand in the body here.", field=min(unknown))
        try:
            raw = await whole(request, self._settings.http_body_bytes, self._settings.http_body_seconds)
        except BodyTooLargeError:  # refused before it is read to its end
            most = self._settings.http_body_bytes
            return Refusal(code="body_too_large", message=f"A body has at most {most} bytes.")
        except BodyTooSlowError:  # whoever sends it may have gone
            return Refusal(code="body_too_slow", message="The body did not come in time.")
        if not raw:
            return parameters
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != JSON:
            return Refusal(code="media_type_unsupported", message="Send the body as `application/json`.")
        try:
            body = orjson.loads(raw)
        except orjson.JSONDecodeError as error:  # refused with its place
            return Refusal(code="invalid", message=f"The body is no JSON: {error}")
        return {**body, **parameters} if isinstance(body, dict) else _NO_JSON

    async def _answered(self, asked: Asked) -> Answer:
        work = asyncio.create_task(self._requests.answer(asked))
        self._late.add(work)
        work.add_done_callback(self._late.discard)
        done, _ = await asyncio.wait([work], timeout=self._settings.http_answer_seconds)
        if done:
            return work.result()
        if self._changes:  # it goes on: the caller learns with the same key what became of it
            return _no("unknown_outcome", "It takes longer than usual. Ask again with the same key.")
        work.cancel()
        return _no("unavailable", "It takes too long at present. Ask again later, or for less.")


def encoded(data: dict[str, Any]) -> bytes:
    """Return data as JSON; keys may be those that SQLAlchemy gives."""
    return orjson.dumps(data, default=str, option=orjson.OPT_NON_STR_KEYS)


def _no(code: str, message: str) -> Answer:
    return Answer(ok=False, refusal=Refusal(code=code, message=message))


def retirement(name: str) -> dict[str, str]:
    """Return the headers that say that an operation is to go, none for one that stays."""
    retired = RETIRED.get(name)
    if retired is None:
        return {}
    return {
        "Deprecation": f"@{int(retired.since.timestamp())}",
        "Sunset": retired.sunset.strftime("%a, %d %b %Y %H:%M:%S GMT"),
        "Link": f'<{retired.instead}>; rel="deprecation"; type="text/html"',
    }
