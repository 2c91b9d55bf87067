"""Following the feed: messages of OUT in order from a cursor on, each once, whatever happens to servers.

The cursor is the sequence in OUT. The consumer lives in the server's memory; after any interruption it is made anew
behind the last event that was handed out.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from nats.aio.client import Client as Connection

from shared.contracts import subjects
from shared.contracts.feed import FEED, FeedData
from shared.eventlog.errors import ConsumerGoneError, UnavailableError
from shared.eventlog.pull import Pull, PullMessage, ensure_consumer
from shared.eventlog.reader import Reader
from shared.ids import new_id

_BATCH = 200
_IDLE = 10.0
_PAUSE = 0.2
_FORGET_AFTER = 30


class CursorLostError(Exception):
    """What follows the cursor is no longer kept: begin without one, and compare with queries."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    Attributes:
        cursor: Where to go on after it.
        id: The same fact told again has the same id.
        data: By its model; of a type that this client does not know, the base without fields. `raw` has all.
    """

    cursor: str
    id: str
    type: str
    subject: str
    time: datetime
    data: FeedData
    raw: dict[str, Any]


async def follow(connection: Connection, after: str, of: str) -> AsyncIterator[Event]:
    """Yield the events that follow the cursor, for ever."""
    seq = int(after or 0)
    state = (await Reader(connection, subjects.OUT).api("STREAM.INFO"))["state"]
    if after and not state["first_seq"] - 1 <= seq <= state["last_seq"]:
        raise CursorLostError(f"OUT holds {state['first_seq']} to {state['last_seq']}, the cursor is {after}")
    while True:
        name, due = f"feed-{new_id(8)}", 1
        pull = Pull(connection, subjects.OUT, name, resume=False)
        try:
            await ensure_consumer(connection, subjects.OUT, _consumer(name, seq, of))
            while True:
                for message in await pull.fetch(_BATCH, _IDLE):
                    if message.consumer_seq != due:  # one was lost on the way: again from the last that was handed out
                        raise ConsumerGoneError(f"{message.consumer_seq} came where {due} was due")
                    due += 1
                    seq = message.seq
                    yield _event(message)
        except (ConsumerGoneError, UnavailableError):
            if connection.is_closed:
                raise
            await asyncio.sleep(_PAUSE)
        finally:
            await pull.close()


def _consumer(name: str, seq: int, of: str) -> dict[str, Any]:
    return {
        "name": name,
        "ack_policy": "none",
        "deliver_policy": "by_start_sequence",
        "opt_start_seq": seq + 1,
        "filter_subjects": [of],
        "inactive_threshold": _FORGET_AFTER * 1_000_000_000,
        "mem_storage": True,
        "num_replicas": 1,
    }


def _event(message: PullMessage) -> Event:
    raw: dict[str, Any] = orjson.loads(message.data)
    model = FEED.get(raw["type"], FeedData)
    time = datetime.fromisoformat(raw["time"])
    data = model.model_validate(raw["data"])
    return Event(str(message.seq), raw["id"], raw["type"], message.subject, time, data, raw)
