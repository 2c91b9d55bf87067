"""Commits to bytes and back. Type names and versions are data; old versions are lifted by the upcasters.

An unknown type or a newer version than this program knows raises `UnknownEventError`, a body that does not fit raises
`MalformedCommitError`: the reader pauses and says so, it never skips (decision 0003).
"""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from shared.contracts import (
    account,
    audience,
    campaign,
    consent,
    domain,
    engagement,
    feedback,
    log,
    mailbox,
    mailing,
    principal,
    relay,
    saved_template,
    sending,
    series,
    statuses,
    tracking_url,
    upcasters,
)
from shared.contracts.envelope import Commit, DomainEvent, EventRecord, Origin
from shared.ids import event_id

EVENT_TYPES: dict[str, type[DomainEvent]] = {
    model.TYPE: model
    for module in (
        *(account, audience, campaign, consent, domain, engagement, feedback, log),
        *(mailbox, mailing, principal, relay, saved_template, sending, series, statuses, tracking_url),
    )
    for model in module.EVENTS
}


class UnknownEventError(ValueError):
    """The type, or its version, is not known to this program: it is probably older than the writer."""


class MalformedCommitError(ValueError):
    """The bytes are no commit, or an event's data do not fit its model."""


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encode(subject: str, events: Sequence[DomainEvent], origin: Origin) -> bytes:
    """Return the commit of `events` on `subject` as a CloudEvents JSON batch."""
    batch: list[dict[str, Any]] = []
    time = _stamp(origin.time)
    for index, event in enumerate(events):
        item: dict[str, Any] = {
            "specversion": "1.0",
            "id": event_id(origin.command_id, index),
            "source": origin.source,
            "type": event.TYPE,
            "subject": subject,
            "time": time,
        }
        if origin.correlation_id:
            item["correlationid"] = origin.correlation_id
        if origin.causation_id:
            item["causationid"] = origin.causation_id
        if origin.principal:
            item["principal"] = origin.principal
        item["data"] = event.model_dump(mode="json", exclude_defaults=True)
        batch.append(item)
    return orjson.dumps(batch)


def decode_event(wire_type: str, data: dict[str, Any]) -> DomainEvent:
    """Return the typed event, upcast to the newest version.

    Raises:
        UnknownEventError: No such type or version.
        MalformedCommitError: The data do not fit.
    """
    wire_type, data = upcasters.lift(wire_type, data)
    model = EVENT_TYPES.get(wire_type)
    if model is None:
        raise UnknownEventError(f"event type {wire_type!r} is not known to this version of Posthaste")
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise MalformedCommitError(f"{wire_type}: {error}") from error


def _record(item: dict[str, Any], *, seq: int, subject: str, recorded_at: datetime, index: int) -> EventRecord:
    return EventRecord(
        id=item["id"],
        event=decode_event(item["type"], item["data"]),
        subject=subject,
        seq=seq,
        index=index,
        time=datetime.fromisoformat(item["time"]),
        recorded_at=recorded_at,
        source=item["source"],
        correlation_id=item.get("correlationid", ""),
        causation_id=item.get("causationid", ""),
        principal=item.get("principal", ""),
    )


def decode(body: bytes, *, seq: int, subject: str, recorded_at: datetime) -> Commit:
    """Return the commit that stands at `seq`.

    Raises:
        UnknownEventError: It holds a type or version this program does not know.
        MalformedCommitError: It is no commit.
    """
    try:
        batch = orjson.loads(body)
        if not isinstance(batch, list) or not batch:
            raise MalformedCommitError(f"seq {seq} on {subject}: not a list of events")
        return Commit(
            seq=seq,
            subject=subject,
            recorded_at=recorded_at,
            events=tuple(
                _record(item, seq=seq, subject=subject, recorded_at=recorded_at, index=index)
                for index, item in enumerate(batch)
            ),
        )
    except UnknownEventError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise MalformedCommitError(f"seq {seq} on {subject}: {error!r}") from error


def name_of(wire_type: str) -> str:
    """Return the name of a wire type without its version."""
    return wire_type.partition("/")[0]


@dataclass(frozen=True, slots=True)
class Selection:
    """A commit as far as somebody reads it.

    Attributes:
        commit: The commit with the events of the names asked for, perhaps none.
        first_id: Id of its first event, "" where it is no commit at all.
        problems: Name of an event type asked for -> why it cannot be decoded; "" is the commit as a whole.
    """

    commit: Commit
    first_id: str
    problems: dict[str, Exception]


def decode_selected(
    body: bytes, *, seq: int, subject: str, recorded_at: datetime, names: AbstractSet[str]
) -> Selection:
    """Decode only events of `names` (types without version), and say what could not be decoded instead of raising."""
    events: list[EventRecord] = []
    problems: dict[str, Exception] = {}
    first_id = ""
    try:
        batch = orjson.loads(body)
        first_id = batch[0]["id"]
        for index, item in enumerate(batch):
            name = name_of(upcasters.newest(item["type"]))
            if name not in names:
                continue
            try:
                events.append(_record(item, seq=seq, subject=subject, recorded_at=recorded_at, index=index))
            except (UnknownEventError, MalformedCommitError, KeyError, TypeError, ValueError) as error:
                problems[name] = error  # the reader pauses what handles this type
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, AttributeError) as error:
        problems[""] = MalformedCommitError(f"seq {seq} on {subject}: {error!r}")  # the reader pauses all it feeds
    return Selection(Commit(seq, subject, recorded_at, tuple(events)), first_id, problems)


def event_ids(body: bytes) -> tuple[str, ...]:
    """Return the ids of the events in a commit without reading their data."""
    return tuple(item["id"] for item in orjson.loads(body))
