"""Typed request handlers, the same for both surfaces: a request of a principal goes in, an `Answer` comes out.

On NATS it stands on `cmd.<principal>.<name>` or `query.<principal>.<name>`, where permissions of the server tie the
second token to the user; over HTTP `shared.messaging.http` hands it to the same `Handled`. A body that does not fit is
refused with the path of the field. What a handler did not foresee is logged with an id and answered `internal`, so
nobody waits in vain; an append whose outcome is unknown is answered `unknown_outcome`: asking again with the same key
settles it.
"""

import hashlib
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from faststream.nats import NatsRouter
from faststream.nats.message import NatsMessage
from pydantic import BaseModel, ValidationError

from shared import metrics
from shared.contracts import subjects
from shared.contracts.commands import Answer, Command, Query, Refusal, Request
from shared.eventlog.errors import UnavailableError, UnknownOutcomeError
from shared.ids import new_id
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
        principal: Id of who asks.
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


async def _raw(message: NatsMessage) -> _Raw:
    return _Raw(message.raw_message.subject, bytes(message.body))


@dataclass(frozen=True, slots=True)
class Handled(Generic[M]):
    """One request that a service answers: its name, its model, who carries it out."""

    name: str
    model: type[M]
    handler: Handler[M]

    async def answer(self, request: Request, principal: str) -> Answer:
        """Answer a request of `principal`, whatever happens."""
        try:
            body = self.model.model_validate(request.data)
        except ValidationError as error:  # the caller's mistake: say where
            return invalid(error)
        canonical = json.dumps([self.name, request.data], sort_keys=True)
        digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
        caller = Caller(principal, request.key, request.at_least, digest)
        try:
            result = await self.handler(body, caller)
        except UnknownOutcomeError:  # it may have happened: the caller asks again with the same key and learns it
            logger.exception("outcome unknown", extra={"request": self.name})
            message = "The log did not answer in time. Ask again with the same key to settle it."
            return refused("unknown_outcome", message)
        except UnavailableError as error:  # the caller may ask again
            logger.warning("log unavailable: %s", error, extra={"request": self.name})
            return refused("unavailable", "The log does not answer at present. Ask again with the same key.")
        except Exception:  # unforeseen: the caller gets an id, the operator the trace
            incident = new_id(8)
            logger.exception("request failed", extra={"request": self.name, "incident": incident})
            return refused("internal", f"Something went wrong on our side (incident {incident}); the logs say more.")
        return Answer(ok=False, refusal=result) if isinstance(result, Refusal) else result

    def count(self, answer: Answer, start: float) -> None:
        """Count an answer to a request that came at `start` (`time.perf_counter`)."""
        REQUESTS.labels(self.name, answer.refusal.code if answer.refusal else "ok").inc()
        SECONDS.labels(self.name).observe(time.perf_counter() - start)


class CommandRouter:
    """The requests that one service answers; on NATS its instances form a queue group. `router` goes into the broker.

    Attributes:
        requests: What is answered, by name.
    """

    def __init__(self, service: str) -> None:
        self.router = NatsRouter()
        self.requests: dict[str, Handled[Any]] = {}
        self._service = service

    def command(self, model: type[C]) -> Callable[[Handler[C]], Handler[C]]:
        """Register the handler of a command."""
        return self._register(model.NAME, model, subjects.command_filter(model.NAME))

    def query(self, model: type[Q]) -> Callable[[Handler[Q]], Handler[Q]]:
        """Register the handler of a query."""
        return self._register(model.NAME, model, subjects.query_filter(model.NAME))

    def _register(self, name: str, model: type[M], subject: str) -> Callable[[Handler[M]], Handler[M]]:
        def register(handler: Handler[M]) -> Handler[M]:
            handled = self.requests[name] = Handled(name, model, handler)

            async def respond(raw: _Raw) -> bytes:
                return await _respond(handled, raw)

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


async def _respond(handled: Handled[Any], raw: _Raw) -> bytes:
    start = time.perf_counter()
    try:
        request = Request.model_validate_json(raw.body or b"{}")
    except ValidationError as error:  # the caller's mistake: say where
        answer = invalid(error)
    else:
        answer = await handled.answer(request, raw.subject.split(".")[1])
    body = answer.model_dump_json().encode()
    if len(body) > LARGEST_ANSWER:
        answer = refused("too_large", "The answer is larger than 1 MB: ask for fewer rows at a time.", "limit")
        body = answer.model_dump_json().encode()
    handled.count(answer, start)
    return body


def refused(code: str, message: str, field: str = "") -> Answer:
    """Return an answer that says no."""
    return Answer(ok=False, refusal=Refusal(code=code, message=message, field=field))


def invalid(error: ValidationError) -> Answer:
    """Return the answer to what does not fit its model."""
    first: Any = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(str(part) for part in first["loc"])
    message = first["msg"] if error.error_count() == 1 else f"{first['msg']} (and {error.error_count() - 1} more)"
    return refused("invalid", message, path)
