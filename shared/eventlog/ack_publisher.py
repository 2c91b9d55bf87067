"""Publish to JetStream with thousands of acks outstanding: one inbox, one future for each message.

Every future ends: with the ack, with the server's refusal, or with a word that nothing is known (`NoAckError`) after
the timeout, or soon after a reconnect, when answers from before can no longer come. Errors of `nats` end here.
"""

import asyncio
from dataclasses import dataclass

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import OutboundBufferLimitError

from shared.eventlog.errors import EventLogError, UnavailableError, UnknownOutcomeError
from shared.eventlog.inbox import Inbox

WINDOW = 4000
_TICK = 0.05
_PAUSE = 0.1
_HEADER_FRAME = 16
_GRACE_AFTER_RECONNECT = 0.3

WRONG_LAST_SEQUENCE = frozenset({10071, 10164})
"""Refusals of an expectation; the second one while another message to the subject is in flight."""

TRANSIENT_CODES = frozenset({10158, 10167})
"""Refusals that pass by themselves: an equal message id in flight, too many publishes in flight."""


class NoAckError(EventLogError):
    """No answer came: the message may be stored now, later or never."""


class NoStreamError(EventLogError):
    """Nobody listens: no stream, or no leader at this moment. The message is not stored."""


class PublishRefusedError(EventLogError):
    """The server refused the message; it is not stored."""

    def __init__(self, subject: str, code: int, err_code: int, description: str) -> None:
        super().__init__(f"{subject}: refused with {code}/{err_code}: {description}")
        self.err_code = err_code
        self.wrong_sequence = err_code in WRONG_LAST_SEQUENCE
        self.transient = code in (429, 503) or err_code in TRANSIENT_CODES


@dataclass(frozen=True, slots=True)
class Ack:
    """The server stored the message at `seq`, or has it there already (`duplicate`)."""

    seq: int
    duplicate: bool


@dataclass(slots=True)
class _Waiting:
    subject: str
    future: asyncio.Future[Ack]
    deadline: float
    number: int


_ATTRIBUTE = "_posthaste_publisher"


class AckPublisher:
    """The publisher of one connection; `AckPublisher.of(nc)` returns its one publisher."""

    def __init__(self, nc: Client, *, window: int = WINDOW) -> None:
        self._nc = nc
        self._inbox = Inbox.of(nc)
        self._slots = asyncio.Semaphore(window)
        self._waiting: dict[str, _Waiting] = {}  # in the order of publishing, so the oldest come first
        self._number = 0
        self._ticking = False
        self._reconnects = 0
        self._cut = (0, 0.0)

    @classmethod
    def of(cls, nc: Client) -> "AckPublisher":
        """Return the publisher that all who use `nc` share."""
        held: dict[str, AckPublisher] = vars(nc)  # kept with the connection, to live and die with it
        if _ATTRIBUTE not in held:
            held[_ATTRIBUTE] = cls(nc)
        return held[_ATTRIBUTE]

    async def publish(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None, *, patience: float = 5.0
    ) -> Ack:
        """Publish and wait `patience` seconds for the ack.

        Raises:
            NoAckError: Nothing is known about it.
            NoStreamError: Not stored, nobody listens at this moment.
            PublishRefusedError: Not stored, refused.
            EventLogError: Not sent: too large, or the connection is closed.
        """
        size = len(payload) + sum(len(name) + len(value) + 4 for name, value in (headers or {}).items()) + _HEADER_FRAME
        if size > self._nc.max_payload:  # the server would close the connection
            raise EventLogError(f"{subject}: {size} bytes are more than the server takes")
        await self._inbox.open()
        async with self._slots:
            return await self._send(subject, payload, headers, patience)

    async def confirmed(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None, *, budget: float = 30.0
    ) -> Ack:
        """Publish again and again until there is an ack; for what may be stored twice, or refuses to be by its headers.

        Raises:
            PublishRefusedError: Refused for good.
            UnknownOutcomeError: No ack within the budget.
        """
        problem: EventLogError | None = None
        try:
            async with asyncio.timeout(budget):
                while True:
                    try:
                        return await self.publish(subject, payload, headers, patience=min(5.0, budget))
                    except (NoAckError, NoStreamError) as error:  # try again
                        problem = error
                    except PublishRefusedError as error:
                        if not error.transient:
                            raise
                        problem = error
                    await asyncio.sleep(_PAUSE)
        except TimeoutError as error:
            raise UnknownOutcomeError(f"{subject} within {budget} s: {problem or error}") from error

    async def _send(self, subject: str, payload: bytes, headers: dict[str, str] | None, patience: float) -> Ack:
        loop = asyncio.get_running_loop()
        self._number += 1
        token = f"p{self._number}"
        waiting = _Waiting(subject, loop.create_future(), loop.time() + patience, self._number)
        self._waiting[token] = waiting
        reply = self._inbox.claim(token, self._on_ack)
        self._start_ticking(loop)
        try:
            await self._nc.publish(subject, payload, reply, headers)
            return await waiting.future
        except OutboundBufferLimitError as error:
            raise NoStreamError(f"{subject}: disconnected, and the buffer is full") from error
        except NatsError as error:
            raise UnavailableError(f"{subject}: {error}") from error
        finally:
            self._waiting.pop(token, None)
            self._inbox.release(token)

    def _on_ack(self, msg: Msg) -> None:
        waiting = self._waiting.get(msg.subject.rpartition(".")[2])
        if waiting is None or waiting.future.done():
            return
        if not msg.data:
            waiting.future.set_exception(NoStreamError(f"{waiting.subject}: nobody listens"))
            return
        answer = orjson.loads(msg.data)
        error = answer.get("error")
        if error is None:
            waiting.future.set_result(Ack(answer["seq"], answer.get("duplicate", False)))
            return
        waiting.future.set_exception(
            PublishRefusedError(
                waiting.subject, error.get("code", 0), error.get("err_code", 0), error.get("description", "")
            )
        )

    def _start_ticking(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._ticking:
            self._ticking = True
            self._reconnects = self._nc.stats["reconnects"]
            loop.call_later(_TICK, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        """End what waits in vain: too long, or since before a reconnect."""
        now = loop.time()
        if self._nc.stats["reconnects"] != self._reconnects:
            self._reconnects = self._nc.stats["reconnects"]
            self._cut = (self._number, now + _GRACE_AFTER_RECONNECT)
        cut, cut_at = self._cut
        for waiting in self._waiting.values():
            lost = waiting.number <= cut and now >= cut_at
            if (lost or waiting.deadline <= now) and not waiting.future.done():
                why = "the connection was lost" if lost else "no ack in time"
                waiting.future.set_exception(NoAckError(f"{waiting.subject}: {why}"))
        if self._waiting:
            loop.call_later(_TICK, self._tick, loop)
        else:
            self._ticking = False
