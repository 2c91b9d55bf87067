"""Messages of a JetStream consumer by requests of our own: prompt, ordered, and none lost on the way.

In goes the name of a consumer, out come lists of messages as soon as there is one. One request at a time is open; what
arrives for it after its fetch returned waits for the next fetch. A lost connection, a killed server or a silent leader
(missed heartbeats) only costs the request, which is made again; what was on the wire comes again after `ack_wait`. When
the server says twice that the consumer is gone, `fetch` raises `ConsumerGoneError`: somebody has to create it anew.
With `resume=False`, for readers that keep their own position and take no acks, every interruption raises it at once.
"""

import asyncio
import time
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from shared.eventlog.errors import ConsumerGoneError, EventLogError, UnavailableError
from shared.eventlog.inbox import Inbox

_TICK = 0.25
_HEARTBEAT = 1.0
_SILENCE = 2.5
_OVERDUE = 0.5
_STANDING = 10.0
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PASSING = frozenset({429, 503})
_REFUSALS = ("push based", "Exceeded MaxRequest")


@dataclass(slots=True)
class PullMessage:
    """One delivery of a message.

    Attributes:
        subject: The subject it stands on in its stream.
        seq: Its sequence in the stream.
        consumer_seq: Number of this delivery of the consumer, from 1 without gaps.
        delivered: How often it was delivered, this time included.
        pending: How many messages of the consumer were still to be delivered at that time.
        stamp: Record time in nanoseconds since 1970.
    """

    subject: str
    data: bytes
    seq: int
    consumer_seq: int
    delivered: int
    pending: int
    stamp: int
    headers: dict[str, str] | None
    _nc: Client
    _reply: str

    @classmethod
    def of(cls, nc: Client, msg: Msg) -> "PullMessage":
        """Read the delivery's numbers from its reply subject, in the old or the new form (with domain and account)."""
        tokens = msg.reply.split(".")
        delivered, seq, consumer_seq, stamp, pending = tokens[4:9] if len(tokens) == 9 else tokens[6:11]
        return cls(
            msg.subject,
            msg.data,
            int(seq),
            int(consumer_seq),
            int(delivered),
            int(pending),
            int(stamp),
            msg.headers,
            nc,
            msg.reply,
        )

    @property
    def recorded_at(self) -> datetime:
        """When the server stored it, cut to microseconds."""
        return _EPOCH + timedelta(microseconds=self.stamp // 1000)

    async def ack(self) -> None:
        """Say that it is done. The server does not confirm it: after a crash it may come once more."""
        await self._nc.publish(self._reply, b"+ACK")

    async def ack_sync(self, timeout: float = 2.0) -> None:  # noqa: ASYNC109 - the client's own parameter
        """Say that it is done and wait until the server knows."""
        await Inbox.of(self._nc).ask(self._reply, b"+ACK", seconds=timeout)

    async def nak(self, delay: float = 0.0) -> None:
        """Give it back: it comes again after `delay` seconds, to whoever asks."""
        await self._nc.publish(self._reply, b'-NAK {"delay": %d}' % int(delay * 1e9) if delay else b"-NAK")

    async def in_progress(self) -> None:
        """Keep it for another `ack_wait`."""
        await self._nc.publish(self._reply, b"+WPI")

    async def term(self) -> None:
        """Never deliver it again. For the parking code only."""
        await self._nc.publish(self._reply, b"+TERM")


class Pull:
    """Pulls from one consumer of one stream. One task fetches at a time."""

    def __init__(self, nc: Client, stream: str, durable: str, *, resume: bool = True) -> None:
        self._nc = nc
        self._name = f"{stream}.{durable}"
        self._resume = resume
        self._buffer: deque[PullMessage] = deque()
        self._inbox = nc.new_inbox()
        self._subscription: Subscription | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._number = 0
        self._open = False
        self._left = 0
        self._expires = 0.0
        self._heard = 0.0
        self._beats = False
        self._reconnects = nc.stats["reconnects"]
        self._doubt = ""
        self._refused = ""

    async def fetch(self, batch: int, timeout: float) -> list[PullMessage]:  # noqa: ASYNC109 - expires on the server
        """Return up to `batch` messages: what is there, or the first to come; [] after `timeout` seconds without any.

        With a timeout of 0 nothing is asked for: only what has arrived is returned.

        Raises:
            ConsumerGoneError: The consumer or its stream is not there any more (or see `resume`).
            UnavailableError: The connection was closed for good.
        """
        deadline = time.monotonic() + timeout
        while not self._buffer:
            rest = deadline - time.monotonic()
            if rest <= 0:
                return []
            await self._check()
            if self._nc.is_connected and not self._open:
                await self.ask(batch, rest if self._resume else max(rest, _STANDING))
            if not self._buffer:
                await self._wait(min(rest, _TICK))
        buffer = self._buffer
        return [buffer.popleft() for _ in range(min(batch, len(buffer)))]

    async def ask(self, batch: int, expires: float) -> None:
        """Open a request for `batch` messages unless one is open, so that they arrive before the next `fetch`.

        After a reconnect it does nothing: the next `fetch` takes note of that first.
        """
        if self._open or not self._nc.is_connected or self._nc.stats["reconnects"] != self._reconnects:
            return
        if self._subscription is None:
            self._subscription = await self._nc.subscribe(
                f"{self._inbox}.*", cb=self._on_message, pending_msgs_limit=-1, pending_bytes_limit=-1
            )
        self._number += 1
        now = time.monotonic()
        self._open, self._left, self._heard, self._expires = True, batch, now, now + expires
        self._beats = expires > 2 * _HEARTBEAT + 0.1
        request: dict[str, Any] = {"batch": batch, "expires": max(1, int(expires * 1e9))}
        if self._resume:
            request["no_wait"] = True  # with `expires`: wait for the first, then end where the stream ends
        if self._beats:
            request["idle_heartbeat"] = int(_HEARTBEAT * 1e9)
        await self._nc.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._name}", orjson.dumps(request), f"{self._inbox}.{self._number}"
        )

    async def close(self) -> None:
        """Stop asking and give back at once what arrived and was not fetched."""
        if self._subscription is not None and not self._nc.is_closed:
            await self._subscription.unsubscribe()
            self._subscription = None
        if self._resume and not self._nc.is_closed:
            for message in self._buffer:
                await message.nak()
        self._buffer.clear()
        self._open = False

    async def _on_message(self, msg: Msg) -> None:
        if msg.reply.startswith("$JS.ACK."):
            self._buffer.append(PullMessage.of(self._nc, msg))
            self._left -= 1
            self._heard = time.monotonic()
            if self._left <= 0:
                self._open = False
        elif msg.subject.endswith(f".{self._number}") and self._open:
            headers = msg.headers or {}
            self._on_status(headers.get("Status", ""), headers.get("Description", ""))
        self._wake()

    def _on_status(self, status: str, description: str) -> None:
        """Take note of what the server says about the open request: 100 alive, 404 and 408 done, the rest trouble."""
        self._heard = time.monotonic()
        if status == "100":
            return
        self._open = False
        if status == "400" or any(part in description for part in _REFUSALS):
            self._refused = f"{status} {description}"
        elif status not in ("404", "408"):
            self._doubt = f"{status} {description.strip()}"

    async def _check(self) -> None:
        """Close the open request when it was interrupted; raise where there is no way on."""
        if self._nc.is_closed:
            raise UnavailableError(f"consumer {self._name}: the connection to NATS is closed")
        if self._refused:
            raise EventLogError(f"consumer {self._name} refuses requests: {self._refused}")
        now = time.monotonic()
        if self._nc.stats["reconnects"] != self._reconnects:
            self._reconnects = self._nc.stats["reconnects"]
            self._interrupted("reconnected")
        elif self._open and ((self._beats and now > self._heard + _SILENCE) or now > self._expires + _OVERDUE):
            self._interrupted("the server is silent")
        if self._doubt:
            doubt, self._doubt = self._doubt, ""
            if not self._resume:
                raise ConsumerGoneError(f"consumer {self._name}: {doubt}")
            if "503" in doubt or "Deleted" in doubt:
                await self._ask_whether_gone()
            await asyncio.sleep(_TICK / 5)

    def _interrupted(self, why: str) -> None:
        self._open = False
        self._number += 1
        if not self._resume:
            self._doubt = why

    async def _ask_whether_gone(self) -> None:
        """Ask twice: a server that just came up, or has no leader yet, may not know its consumers."""
        for attempt in range(2):
            try:
                reply = await Inbox.of(self._nc).ask(f"$JS.API.CONSUMER.INFO.{self._name}", seconds=1)
            except (NatsError, TimeoutError):  # nobody answers, so nobody says that it is gone: ask for messages again
                return
            answer = orjson.loads(reply.data)
            error = answer.get("error", {})
            if error.get("code") != 404:
                return
            if attempt:
                raise ConsumerGoneError(f"consumer {self._name}: {error.get('description')}")
            await asyncio.sleep(_TICK)

    async def _wait(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


async def ensure_consumer(nc: Client, stream: str, config: dict[str, Any], *, budget: float = 10.0) -> None:
    """Create the consumer of `config` (the fields of the JetStream API, durations in ns), or update it; idempotent.

    Raises:
        EventLogError: The server refuses it, e.g. because the stream is missing or a fixed field differs.
        UnavailableError: Nobody answered within `budget` seconds.
    """
    name = config.get("durable_name") or config["name"]
    body = orjson.dumps({"stream_name": stream, "config": {"name": name, **config}, "action": ""})
    deadline = time.monotonic() + budget
    while True:
        problem: object
        try:
            created = f"$JS.API.CONSUMER.CREATE.{stream}.{name}"
            reply = await Inbox.of(nc).ask(created, body, seconds=min(5.0, budget))
            problem = orjson.loads(reply.data).get("error")
        except (
            NatsError,
            TimeoutError,
        ) as error:  # no leader or no server now: again until the budget is spent
            problem = error
        if not problem:
            return
        if isinstance(problem, dict) and problem.get("code") not in _PASSING:
            raise EventLogError(f"consumer {stream}.{name} refused: {problem.get('description')}")
        if nc.is_closed or time.monotonic() >= deadline:
            raise UnavailableError(f"consumer {stream}.{name} was not created: {problem!r}")
        await asyncio.sleep(_TICK)
