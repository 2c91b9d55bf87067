"""Reading messages of one stream: single ones from its leader, many by direct batch get from any replica.

A leader read sees everything that was acknowledged before it. A direct get may be answered by a follower that lags, so
whoever uses `batch` compares with a leader read. Questions that get no answer are asked again with longer patience,
until the budget is spent: then `UnavailableError`.
"""

import asyncio
import itertools
from base64 import b64decode
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError

from shared.eventlog.errors import EventLogError, UnavailableError
from shared.eventlog.inbox import Inbox

BATCH_BYTES = 8 * 2**20
_FIRST_PATIENCE = 1.0
_PAUSE = 0.1
_NOT_FOUND = 10037
_PASSING = frozenset({429, 503})
_BATCH_PATIENCE = 2.0

_tokens = itertools.count()


@dataclass(frozen=True, slots=True)
class Stored:
    """One message as it stands in a stream."""

    seq: int
    subject: str
    data: bytes
    recorded_at: datetime
    headers: dict[str, str]


class ApiError(EventLogError):
    """JetStream answered with an error."""

    def __init__(self, question: str, error: dict[str, Any]) -> None:
        super().__init__(f"{question}: {error.get('err_code')} {error.get('description')}")
        self.err_code = error.get("err_code", 0)


def _headers(raw: str) -> dict[str, str]:
    lines = b64decode(raw).decode().split("\r\n")[1:]
    return {name: value.strip() for name, colon, value in (line.partition(":") for line in lines) if colon}


class Reader:
    """Questions to one stream."""

    def __init__(self, nc: Client, stream: str, *, timeout: float = 5.0, budget: float = 30.0) -> None:
        self._nc = nc
        self._inbox = Inbox.of(nc)
        self.stream = stream
        self._timeout = timeout
        self._budget = budget

    async def api(self, verb: str, question: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the JSON answer of `$JS.API.<verb>.<stream>`, which the leader gives.

        Raises:
            ApiError: It answered with an error that does not pass by itself.
            UnavailableError: No answer within the budget.
        """
        subject = f"$JS.API.{verb}.{self.stream}"
        body = orjson.dumps(question) if question else b""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + self._budget
        patience = min(_FIRST_PATIENCE, self._timeout)
        while True:
            problem: Exception
            try:
                answer = orjson.loads((await self._inbox.ask(subject, body, seconds=patience)).data)
                if "error" not in answer:
                    return dict(answer)
                problem = ApiError(f"{subject} {body.decode()}", answer["error"])
                if answer["error"].get("code") not in _PASSING:
                    raise problem
            except TimeoutError as error:  # a leader is being elected, or we are disconnected: ask again
                problem = error
                patience = min(patience * 2, self._timeout)
            except NoRespondersError as error:  # the server is starting: ask again
                problem = error
            except NatsError as error:
                raise UnavailableError(f"{subject}: {error}") from error
            if loop.time() >= give_up:
                raise UnavailableError(f"{subject}: no answer within {self._budget} s") from problem
            await asyncio.sleep(_PAUSE)

    async def _message(self, question: dict[str, Any]) -> Stored | None:
        try:
            message = (await self.api("STREAM.MSG.GET", question))["message"]
        except ApiError as error:
            if error.err_code == _NOT_FOUND:  # an answer like any other
                return None
            raise
        return Stored(
            seq=message["seq"],
            subject=message["subject"],
            data=b64decode(message.get("data", "")),
            recorded_at=datetime.fromisoformat(message["time"]),
            headers=_headers(message["hdrs"]) if "hdrs" in message else {},
        )

    async def last(self, subject_filter: str) -> Stored | None:
        """Return the last message whose subject matches, as the leader knows it."""
        return await self._message({"last_by_subj": subject_filter})

    async def at(self, seq: int) -> Stored | None:
        """Return the message at `seq`, as the leader knows it."""
        return await self._message({"seq": seq}) if seq > 0 else None

    async def next(self, subject_filter: str, start: int) -> Stored | None:
        """Return the first message from `start` on whose subject matches, as the leader knows it."""
        return await self._message({"seq": max(start, 1), "next_by_subj": subject_filter})

    async def glance(self, subject: str) -> Stored | None:
        """Return the last message on one subject as some replica knows it: cheap where it is large."""
        found = await self._direct({"last_by_subj": subject})
        return found[0] if found else None

    async def kept(self, subject: str, seconds: float) -> bytes:
        """Return the last message on one subject, empty where there is none.

        The question names the subject, so that a user can be permitted to read some subjects of a stream only.

        Raises:
            UnavailableError: No answer within `seconds`.
        """
        try:
            answer = await self._inbox.ask(f"$JS.API.DIRECT.GET.{self.stream}.{subject}", seconds=seconds)
        except (NatsError, TimeoutError) as error:
            raise UnavailableError(f"{subject}: {type(error).__name__}") from error
        return b"" if (answer.headers or {}).get("Status") else bytes(answer.data)

    async def batch(self, subject_filter: str, start: int, count: int) -> list[Stored]:
        """Return up to `count` matching messages from `start` on, in order, as some replica knows them.

        They may be fewer than there are, and none: where it matters, compare with `last`.
        """
        return await self._direct(
            {"seq": max(start, 1), "next_by_subj": subject_filter, "batch": count, "max_bytes": BATCH_BYTES}
        )

    async def _direct(self, question: dict[str, Any]) -> list[Stored]:
        await self._inbox.open()
        gathered = _Gathered(asyncio.get_running_loop(), single="batch" not in question)
        token = f"b{next(_tokens)}"
        reply = self._inbox.claim(token, gathered.take)
        try:
            await self._nc.publish(f"$JS.API.DIRECT.GET.{self.stream}", orjson.dumps(question), reply)
            async with asyncio.timeout(_BATCH_PATIENCE):
                await gathered.done
        except TimeoutError:  # some answers were lost: what came in one piece is good, the caller asks for the rest
            pass
        except NatsError as error:
            raise UnavailableError(f"{self.stream}: {error}") from error
        finally:
            self._inbox.release(token)
        return gathered.messages


class _Gathered:
    """The messages of one batch, as long as each follows the one before."""

    def __init__(self, loop: asyncio.AbstractEventLoop, *, single: bool) -> None:
        self._single = single
        self.messages: list[Stored] = []
        self.done: asyncio.Future[None] = loop.create_future()

    def take(self, msg: Msg) -> None:
        if self.done.done():
            return
        headers = msg.headers or {}
        if "Status" in headers:  # 204 end of batch, 404 nothing there, 503 no replica listens
            self.done.set_result(None)
            return
        previous = self.messages[-1].seq if self.messages else 0
        if not self._single and int(headers["Nats-Last-Sequence"]) != previous:  # one got lost on the way
            self.done.set_result(None)
            return
        self.messages.append(
            Stored(
                seq=int(headers["Nats-Sequence"]),
                subject=headers["Nats-Subject"],
                data=msg.data,
                recorded_at=datetime.fromisoformat(headers["Nats-Time-Stamp"]),
                headers=headers,
            )
        )
        if self._single:
            self.done.set_result(None)
