"""How the streams are: size, position, replicas, and what consumers have still to take. Questions only.

One request each to the server that leads; a stream or consumer that is not there is left out, one that has no leader
just now raises `UnavailableError` after a short while, and the caller asks again later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nats.aio.client import Client

from shared.eventlog.reader import ApiError, Reader

_BUDGET = 5.0
_NOT_FOUND = frozenset({10014, 10059})  # consumer, stream


@dataclass(frozen=True, slots=True)
class StreamVitals:
    """One stream. `behind`: replicas that are away or have not caught up."""

    name: str
    messages: int
    bytes: int
    last_seq: int
    behind: int


@dataclass(frozen=True, slots=True)
class ConsumerVitals:
    """One consumer: messages it has still to be given, and those given that it has not acknowledged."""

    stream: str
    name: str
    pending: int
    unacked: int


class Vitals:
    """Questions over one connection."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def streams(self, names: Sequence[str]) -> list[StreamVitals]:
        """Return the vitals of those streams that exist.

        Raises:
            UnavailableError: One of them has no leader, or the server is away.
        """
        answers = [(name, await self._ask(name, "STREAM.INFO")) for name in names]
        return [
            StreamVitals(
                name=name,
                messages=answer["state"]["messages"],
                bytes=answer["state"]["bytes"],
                last_seq=answer["state"]["last_seq"],
                behind=_behind(answer.get("cluster") or {}),
            )
            for name, answer in answers
            if answer is not None
        ]

    async def consumers(self, names: Sequence[tuple[str, str]]) -> list[ConsumerVitals]:
        """Return the vitals of those consumers, given as (stream, name), that exist.

        Raises:
            UnavailableError: One of them has no leader, or the server is away.
        """
        answers = [(stream, name, await self._ask(f"{stream}.{name}", "CONSUMER.INFO")) for stream, name in names]
        return [
            ConsumerVitals(stream, name, answer["num_pending"], answer["num_ack_pending"])
            for stream, name, answer in answers
            if answer is not None
        ]

    async def _ask(self, of: str, verb: str) -> dict[str, Any] | None:
        try:
            return await Reader(self._nc, of, budget=_BUDGET).api(verb)
        except ApiError as error:
            if error.err_code in _NOT_FOUND:  # an answer like any other
                return None
            raise


def _behind(cluster: dict[str, Any]) -> int:
    replicas = cluster.get("replicas") or []
    return sum(1 for replica in replicas if replica.get("offline") or not replica.get("current"))
