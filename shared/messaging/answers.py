"""Typed request handlers: what comes on `cmd.<principal>.<name>` or `query.<principal>.<name>` goes out as an `Answer`.

A request is held against its row in shared/contracts/api.py: who lacks its permission is refused. Then the body becomes
a model and is handed to its handler; a body that does not fit is refused with the path of the field. The principal is
the second token of the subject, which NATS permissions tie to the user; `CommandRouter.answer` takes what comes another
way. What a handler did not foresee is logged with an id and answered `internal`, so nobody waits in vain; an append
whose outcome is unknown is answered `unknown_outcome`: asking again with the same key settles it. `audit` gets every
command with what came of it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from faststream.nats import NatsRouter
from faststream.nats.message import NatsMessage
from pydantic import ValidationError

from shared import metrics, tracing
from shared.contracts import subjects
from shared.contracts.api import ENDPOINTS, Endpoint
from shared.contracts.commands import Answer, Command, Query, Refusal, Request
from shared.contracts.principals import Principal
from shared.database import is_away
from shared.eventlog.errors import UnavailableError, UnknownOutcomeError
from shared.ids import new_id
from shared.messaging.command_trace import trace_command
from shared.messaging.policy import HANDLERS
from shared.messaging.principals import nats_principal

logger = logging.getLogger(__name__)

LARGEST_ANSWER = 1_000_000  # bytes; the server refuses a message above 1 MB

REQUESTS = metrics.counter("posthaste_requests_total", "Requests by name and outcome", ("name", "outcome"))
SECONDS = metrics.histogram("posthaste_request_seconds", "Time to the answer", ("name",))

M = TypeVar("M", bound=Command | Query)
C = TypeVar("C", bound=Command)
Q = TypeVar("Q", bound=Query)
Handler = Callable[[M, "Caller"], Awaitable[Answer | Refusal]]
Via = Literal["nats", "http"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it came in.

    Attributes:
        name: Of the command or query, e.g. `mailing.pause`.
        data: Its fields, not yet looked at.
        principal: Who asks; None where nobody proved who they are.
        key: Idempotency key, "" where none was given.
        at_least: Log position the answer must include.
        via: The way it came.
        remote: Network address it came from, "" where that is not known; personal data, for SQL alone.
        traceparent: Place of the caller in a trace of its own (W3C Trace Context), "" where it named none.
    """

    name: str
    data: dict[str, Any] = field(repr=False)
    principal: Principal | None
    key: str = ""
    at_least: int = 0
    via: Via = "nats"
    remote: str = field(default="", repr=False)
    traceparent: str = ""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how.

    Attributes:
        principal: Id of the principal that asks, "" where anybody may.
        key: Idempotency key, "" where none was given.
        at_least: Log position the answer must include.
        digest: Hash of the body: the same key with another digest is another request.
        via, remote: As in `Asked`.
    """

    principal: str
    key: str
    at_least: int
    digest: str
    via: Via = "nats"
    remote: str = field(default="", repr=False)


Audit = Callable[[Asked, Answer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Raw:
    subject: str
    body: bytes
    traceparent: str = ""


async def _raw(message: NatsMessage) -> _Raw:
    return _Raw(message.raw_message.subject, bytes(message.body), message.headers.get("traceparent", ""))


class CommandRouter:
    """The requests that one service answers; its instances form a queue group. `router` goes into the broker."""

    def __init__(self, service: str, *, endpoints: Sequence[Endpoint] = ENDPOINTS, audit: Audit | None = None) -> None:
        self.router = NatsRouter()
        self._service = service
        self._endpoints = {endpoint.name: endpoint for endpoint in endpoints}
        self._audit = audit
        self._answering: dict[str, tuple[Endpoint, Handler[Any]]] = {}

    def command(self, model: type[C]) -> Callable[[Handler[C]], Handler[C]]:
        """Register the handler of a command."""
        return self._register(model, subjects.command_filter(model.NAME))

    def query(self, model: type[Q]) -> Callable[[Handler[Q]], Handler[Q]]:
        """Register the handler of a query."""
        return self._register(model, subjects.query_filter(model.NAME))

    @property
    def names(self) -> frozenset[str]:
        """Names of the requests that are answered."""
        return frozenset(self._answering)

    async def answer(self, asked: Asked) -> Answer:
        """Return what came of a request to one of our handlers, whichever way it came."""
        start, began = time.perf_counter(), tracing.begin()
        answer = await self._checked(asked)
        REQUESTS.labels(asked.name, answer.refusal.code if answer.refusal else "ok").inc()
        SECONDS.labels(asked.name).observe(time.perf_counter() - start)
        if began and issubclass(self._answering[asked.name][0].request, Command):
            trace_command(asked.name, asked.data, answer, asked.traceparent, began)
        return answer

    def _register(self, model: type[M], subject: str) -> Callable[[Handler[M]], Handler[M]]:
        def register(handler: Handler[M]) -> Handler[M]:
            self._answering[model.NAME] = (self._endpoints[model.NAME], handler)

            async def respond(raw: _Raw) -> bytes:
                return await self._respond(model.NAME, raw)

            subscriber = self.router.subscriber(
                subject, queue=self._service, decoder=_raw, max_workers=HANDLERS, include_in_schema=False
            )
            subscriber(respond)
            return handler

        return register

    async def _respond(self, name: str, raw: _Raw) -> bytes:
        try:
            request = Request.model_validate_json(raw.body or b"{}")
        except ValidationError as error:  # the caller's mistake: say where
            return _encoded(_invalid(error))
        principal = nats_principal(raw.subject.split(".")[1])
        asked = Asked(name, request.data, principal, request.key, request.at_least, traceparent=raw.traceparent)
        return _encoded(await self.answer(asked))

    async def _checked(self, asked: Asked) -> Answer:
        endpoint, handler = self._answering[asked.name]
        refusal = endpoint.refusal(asked.principal)
        answer = Answer(ok=False, refusal=refusal) if refusal else await _handled(endpoint, handler, asked)
        if self._audit is not None and issubclass(endpoint.request, Command):
            try:
                await self._audit(asked, answer)
            except Exception:  # what was done is done, and its events name who did it
                logger.exception("not in the audit", extra={"request": asked.name})
        return answer


async def _handled(endpoint: Endpoint, handler: Handler[Any], asked: Asked) -> Answer:
    name = asked.name
    try:
        body = endpoint.request.model_validate(asked.data)
    except ValidationError as error:  # the caller's mistake: say where
        return _invalid(error)
    for path in _holding_nul({"key": asked.key, **asked.data}):
        return _refused("invalid", "holds a NUL character, which is no text", path)
    canonical = json.dumps([name, asked.data], sort_keys=True)
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    principal = asked.principal.id if asked.principal else ""
    caller = Caller(principal, asked.key, asked.at_least, digest, asked.via, asked.remote)
    try:
        result = await handler(body, caller)
    except UnknownOutcomeError:  # it may have happened: the caller asks again with the same key and learns it
        logger.exception("outcome unknown", extra={"request": name})
        return _refused("unknown_outcome", "The log did not answer in time. Ask again with the same key to settle it.")
    except UnavailableError as error:  # the caller may ask again
        logger.warning("log unavailable: %s", error, extra={"request": name})
        return _refused("unavailable", "The log does not answer at present. Ask again with the same key.")
    except Exception as error:  # unforeseen: the caller gets an id, the operator the trace
        if is_away(error):  # the caller may ask again
            logger.warning("database unavailable: %s", error, extra={"request": name})
            return _refused("unavailable", "The database does not answer at present. Ask again with the same key.")
        incident = new_id(8)
        logger.exception("request failed", extra={"request": name, "incident": incident})
        return _refused("internal", f"Something went wrong on our side (incident {incident}); the logs say more.")
    return Answer(ok=False, refusal=result) if isinstance(result, Refusal) else result


def _holding_nul(value: object, path: str = "") -> Iterator[str]:
    """Yield the paths of texts with a NUL, which PostgreSQL cannot store."""
    match value:
        case str():
            if "\0" in value:
                yield path
        case dict():
            for name, item in value.items():
                yield from _holding_nul(item, f"{path}.{name}".lstrip("."))
        case list():
            for place, item in enumerate(value):
                yield from _holding_nul(item, f"{path}.{place}")


def _encoded(answer: Answer) -> bytes:
    body = answer.model_dump_json().encode()
    if len(body) <= LARGEST_ANSWER:
        return body
    answer = _refused("too_large", "The answer is larger than 1 MB: ask for fewer rows at a time.", "limit")
    return answer.model_dump_json().encode()


def _refused(code: str, message: str, field: str = "") -> Answer:
    return Answer(ok=False, refusal=Refusal(code=code, message=message, field=field))


def _invalid(error: ValidationError) -> Answer:
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"] if error.error_count() == 1 else f"{first['msg']} (and {error.error_count() - 1} more)"
    return _refused("invalid", message, path)
