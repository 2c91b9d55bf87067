"""Free text that people wrote, into PEOPLE, each under its own key: written once, never read back.

The key derives from the act, so a note that is there already is this one: the tracker needs no right to read people.
"""

from typing import Protocol

import orjson

from shared.contracts import subjects
from shared.eventlog.ack_publisher import Ack, PublishRefusedError

_IF_ABSENT = {"Nats-Expected-Last-Subject-Sequence": "0"}


class Publisher(Protocol):
    """What is needed of the publisher of a connection."""

    async def confirmed(self, subject: str, payload: bytes, headers: dict[str, str] | None = None) -> Ack:
        """Publish until there is an ack."""


class Notes:
    """The notes in PEOPLE."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    async def keep(self, key: str, text: str) -> None:
        """Return once the note is stored.

        Raises:
            UnknownOutcomeError: No ack within the budget.
            PublishRefusedError: The server will not take it.
        """
        try:
            await self._publisher.confirmed(subjects.person_note(key), orjson.dumps({"text": text}), _IF_ABSENT)
        except PublishRefusedError as error:
            if not error.wrong_sequence:  # else it is there already
                raise
