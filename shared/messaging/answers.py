"""Typed request handlers: what comes on `cmd.<principal>.<name>` or `query.<principal>.<name>` goes out as an `Answer`.

The body becomes a model and is handed to its handler. A body that does not fit is refused with the path of the field;
the principal is the second token of the subject, which NATS permissions tie to the user. What a handler did not foresee
is logged with an id and answered `internal`, so nobody waits in vain; an append whose outcome is unknown is answered
`unknown_outcome`: asking again with the same key settles it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from faststream.nats import NatsRouter
from faststream.nats.message import NatsMessage
from pydantic import BaseModel, ValidationError

from shared import metrics, tracing
from shared.contracts import subjects
from shared.contracts.commands import Answer, Command, Query, Refusal, Request
from shared.eventlog.errors import UnavailableError, UnknownOutcomeError
from shared.ids import new_id
from shared.messaging.command_trace import trace_command
from shared.messaging.policy import HANDLERS

logger = logging.getLogger(__name__)

LARGEST_ANSWER = 1_000_000  # bytes; the server refuses a message above 1 MB

REQUESTS = metrics.counter("posthaste_requests_total", "Requests by name and outcome", ("name", "outcome"))
SECONDS = metrics.histogram("posthaste_request_seconds", "Time to the answer", ("name",))

M = TypeVar("M", bound=BaseModel)
C = TypeVar("C", bound=Command)
Q = TypeVar("Q", bound=Query)
Handler = Callable[[M, "Caller"], Awaitable[Answer | Refusal]]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how.

    Attributes:
        principal: The NATS user that asked.
        key: Idempotency key, "" where none was given.
        at_least: Log position the answer must include.
        digest: Hash of the body: the same key with another digest is another request.
    """

    principal: str
    key: str
    at_least: int
    digest: str


@dataclass(frozen=True, slots=True)
class _Raw:
    subject: str
    body: bytes
    traceparent: str = ""


async def _raw(message: NatsMessage) -> _Raw:
    return _Raw(message.raw_message.subject, bytes(message.body), message.headers.get("traceparent", ""))


class CommandRouter:
    """The requests that one service answers; its instances form a queue group. `router` goes into the broker."""

    def __init__(self, service: str) -> None:
        self.router = NatsRouter()
        self._service = service

    def command(self, model: type[C]) -> Callable[[Handler[C]], Handler[C]]:
        """Register the handler of a command."""
        return self._register(model.NAME, model, subjects.command_filter(model.NAME))

    def query(self, model: type[Q]) -> Callable[[Handler[Q]], Handler[Q]]:
        """Register the handler of a query."""
        return self._register(model.NAME, model, subjects.query_filter(model.NAME))

    def _register(self, name: str, model: type[M], subject: str) -> Callable[[Handler[M]], Handler[M]]:
        def register(handler: Handler[M]) -> Handler[M]:
            async def respond(raw: _Raw) -> bytes:
                return await _respond(name, model, handler, raw)

            respond.__annotations__ = {"raw": model, "return": Answer}  # what the AsyncAPI document shows
            subscriber = self.router.subscriber(
                subject,
                queue=self._service,
                decoder=_raw,
                max_workers=HANDLERS,
                title=name,
                description=model.__doc__,
            )
            subscriber(respond)
            return handler

        return register


async def _respond(name: str, model: type[M], handler: Handler[M], raw: _Raw) -> bytes:
    start = time.perf_counter()
    answer = await _answer(name, model, handler, raw)
    body = answer.model_dump_json().encode()
    if len(body) > LARGEST_ANSWER:
        answer = _refused("too_large", "The answer is larger than 1 MB: ask for fewer rows at a time.", "limit")
        body = answer.model_dump_json().encode()
    REQUESTS.labels(name, answer.refusal.code if answer.refusal else "ok").inc()
    SECONDS.labels(name).observe(time.perf_counter() - start)
    return body


async def _answer(name: str, model: type[M], handler: Handler[M], raw: _Raw) -> Answer:
    try:
        request = Request.model_validate_json(raw.body or b"{}")
        body = model.model_validate(request.data)
    except ValidationError as error:  # the caller's mistake: say where
        return _invalid(error)
    canonical = json.dumps([name, request.data], sort_keys=True)
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    caller = Caller(raw.subject.split(".")[1], request.key, request.at_least, digest)
    began = tracing.begin()
    answer = await _handled(name, handler, body, caller)
    if began and issubclass(model, Command):
        trace_command(name, request.data, answer, raw.traceparent, began)
    return answer


async def _handled(name: str, handler: Handler[M], body: M, caller: Caller) -> Answer:
    try:
        result = await handler(body, caller)
    except UnknownOutcomeError:  # it may have happened: the caller asks again with the same key and learns it
        logger.exception("outcome unknown", extra={"request": name})
        return _refused("unknown_outcome", "The log did not answer in time. Ask again with the same key to settle it.")
    except UnavailableError as error:  # the caller may ask again
        logger.warning("log unavailable: %s", error, extra={"request": name})
        return _refused("unavailable", "The log does not answer at present. Ask again with the same key.")
    except Exception:  # unforeseen: the caller gets an id, the operator the trace
        incident = new_id(8)
        logger.exception("request failed", extra={"request": name, "incident": incident})
        return _refused("internal", f"Something went wrong on our side (incident {incident}); the logs say more.")
    return Answer(ok=False, refusal=result) if isinstance(result, Refusal) else result


def _refused(code: str, message: str, field: str = "") -> Answer:
    return Answer(ok=False, refusal=Refusal(code=code, message=message, field=field))


def _invalid(error: ValidationError) -> Answer:
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"] if error.error_count() == 1 else f"{first['msg']} (and {error.error_count() - 1} more)"
    return _refused("invalid", message, path)
