"""Telling of contacts: records become CloudEvents on `in.contacts`, several in a message, each acknowledged by NATS.

Acknowledged means kept; what does not fit is parked later, and `problems` names it by the sequence that was returned.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from nats.aio.client import Client as Connection

from shared.contracts import subjects
from shared.contracts.intake import ContactRemovedFromList, ContactUpserted
from shared.eventlog.ack_publisher import AckPublisher
from shared.ids import new_id

_EVENTS = 500
_BYTES = 900_000  # the server takes 1 MB

Told = ContactUpserted | ContactRemovedFromList


class Contacts:
    """The records of one source."""

    def __init__(self, connection: Connection, source: str) -> None:
        self._publisher = AckPublisher.of(connection)
        self._source = source

    async def upsert(self, records: Iterable[ContactUpserted]) -> list[int]:
        """Tell how records are now; return the sequences of the messages. Telling again what was told changes nothing.

        Raises:
            ValueError: The client was connected without a `source`.
            UnknownOutcomeError: A message was not acknowledged in time: tell all of it again.
        """
        return await self._tell(records)

    async def remove_from_list(self, records: Iterable[ContactRemovedFromList]) -> list[int]:
        """Tell that records are no longer on a list. Raises as `upsert` does."""
        return await self._tell(records)

    async def _tell(self, records: Iterable[Told]) -> list[int]:
        if not self._source:
            raise ValueError("say as which source: Posthaste.connect(..., source=...)")
        messages = _messages([self._event(record) for record in records])
        return [(await self._publisher.confirmed(subjects.CONTACTS_IN, message)).seq for message in messages]

    def _event(self, record: Told) -> bytes:
        event: dict[str, Any] = {
            "specversion": "1.0",
            "id": new_id(20),
            "source": self._source,
            "type": record.TYPE,
            "time": datetime.now(UTC).isoformat(),
            "data": record.model_dump(mode="json", exclude_defaults=True),
        }
        return orjson.dumps(event)


def _messages(events: Sequence[bytes]) -> Iterator[bytes]:
    batch: list[bytes] = []
    size = 0
    for event in events:
        if batch and (len(batch) == _EVENTS or size + len(event) > _BYTES):
            yield b"[" + b",".join(batch) + b"]"
            batch, size = [], 0
        batch.append(event)
        size += len(event) + 1
    if batch:
        yield b"[" + b",".join(batch) + b"]"
