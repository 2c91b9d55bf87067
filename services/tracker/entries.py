"""What the tracker wants in the log: one commit on one journal, with the free text it names; log and spool take it.

In the spool an entry is one JSON line that holds the commit exactly as it would stand in the log, so a spool written by
one version is read by the next through the same upcasters.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import orjson

from shared.contracts import codec
from shared.contracts.envelope import DomainEvent, Origin


@dataclass(frozen=True, slots=True)
class Note:
    """Free text that a person wrote; only its key stands in the event."""

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Events for one journal.

    Attributes:
        subject: The journal.
        events: Events of one commit.
        origin: Their cause; the command id makes a repeat harmless.
        note: Text to be stored before the event that names it.
        precious: Consent: is kept in the order in which it came, and may use the reserve of the spool.
        facts: How many hits it holds, for counting.
    """

    subject: str
    events: tuple[DomainEvent, ...]
    origin: Origin
    note: Note | None = None
    precious: bool = False
    facts: int = 1


class EntryError(ValueError):
    """The bytes are no entry."""


def encode(entry: Entry) -> bytes:
    """Return the entry as one line without line end."""
    return orjson.dumps(
        {
            "subject": entry.subject,
            "note": {"key": entry.note.key, "text": entry.note.text} if entry.note else None,
            "precious": entry.precious,
            "facts": entry.facts,
            "commit": orjson.Fragment(codec.encode(entry.subject, entry.events, entry.origin)),
        }
    )


def decode(line: bytes) -> Entry:
    """Return the entry of a line.

    Raises:
        EntryError: It is none, or holds an event this version does not know.
    """
    try:
        raw = orjson.loads(line)
        commit = codec.decode(
            orjson.dumps(raw["commit"]), seq=0, subject=raw["subject"], recorded_at=datetime.fromtimestamp(0, UTC)
        )
        first = commit.events[0]
        return Entry(
            subject=commit.subject,
            events=tuple(record.event for record in commit.events),
            origin=Origin(
                command_id=first.id.rpartition(".")[0],
                source=first.source,
                time=first.time,
                correlation_id=first.correlation_id,
                causation_id=first.causation_id,
                principal=first.principal,
            ),
            note=Note(**raw["note"]) if raw["note"] else None,
            precious=raw["precious"],
            facts=raw["facts"],
        )
    except (ValueError, KeyError, TypeError) as error:  # the spool sets the line aside and goes on
        raise EntryError(f"not an entry: {error}") from error
