"""What producers may say of activities: good events are read, each bad one is named by its place and field."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts import activities
from shared.contracts.activities import Activity, ActivityHappened, Participant
from shared.contracts.examples import HAPPENED

NOON = round(datetime(2026, 11, 27, 12, tzinfo=UTC).timestamp() * 1_000_000)


def with_data(**more: object) -> dict[str, Any]:
    """Return a good event with other data; what is None is left out."""
    return HAPPENED | {"data": {name: value for name, value in (HAPPENED["data"] | more).items() if value is not None}}


def problem(wrong: object) -> str:
    """Return what is wrong with one event."""
    told, problems = activities.read(json.dumps(wrong).encode())
    assert told == []
    (found,) = problems
    return str(found)


def test_an_activity_is_told_with_its_time_and_who_took_part() -> None:
    """One event and a batch are read alike; the time is in microseconds, whatever the zone."""
    there = HAPPENED | {"time": "2026-11-27T14:00:00+02:00"}
    told = Activity("crm", NOON, ActivityHappened.model_validate(HAPPENED["data"]))
    assert activities.read(json.dumps([HAPPENED, there]).encode()) == ([told, told], [])
    assert activities.read(json.dumps(HAPPENED).encode()) == ([told], [])
    assert told.data.participants[1] == Participant(source="shop", id="c-12")


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        (HAPPENED | {"type": "contact.upserted/1"}, "event 0, type: one of activity.happened/1 is wanted"),
        (HAPPENED | {"time": None}, "event 0, time: "),
        (HAPPENED | {"time": "1066-10-14T12:00:00Z"}, "event 0, time: out of range"),
        (with_data(id=None), "event 0, data.id: "),
        (with_data(type=" "), "event 0, data.type: "),
        (with_data(type="ann@secret.example"), "event 0, data.type: "),
        (with_data(campaign="May\nJune"), "event 0, data.campaign: "),
        (with_data(participants=None), "event 0, data.participants: "),
        (with_data(participants=[{"id": "1"}] * 1_001), "event 0, data.participants: "),
        (with_data(participants=[{}]), "event 0, data.participants.0: "),
        (with_data(participants=[{"id": "1", "address": "a@b.example"}]), "event 0, data.participants.0: "),
        (with_data(participants=[{"source": "shop", "address": "a@b.example"}]), "event 0, data.participants.0: "),
        (with_data(participants=[{"address": "secret@"}]), "event 0, data.participants.0.address: "),
        (with_data(participants=[{"id": "ann@secret.example"}]), "event 0, data.participants.0.id: "),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(wrong: object, where: str) -> None:
    """With the path as the producer wrote it, and never by its value, which may be personal."""
    assert problem(wrong).startswith(where)
    assert "secret" not in problem(wrong)
