"""Every version of every event that was ever written can be read for ever, and means what it meant.

A golden file holds a commit as it stands in a log (`wire`: an event with all fields, and one with as few as possible)
and what it means (`means`: all fields, so that no default of today changes an event of yesterday). Files of old
versions stay when a type gets a new version; `means` is then in the newest version.
"""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from shared.contracts import codec, upcasters
from shared.contracts.codec import EVENT_TYPES, MalformedCommitError, UnknownEventError
from shared.contracts.envelope import Commit, Origin

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))


def _file(wire_type: str) -> Path:
    return GOLDEN / (wire_type.replace("/", ".") + ".json")


def _decode(wire: list[dict[str, Any]]) -> Commit:
    return codec.decode(
        json.dumps(wire).encode(), seq=7, subject=wire[0]["subject"], recorded_at=datetime(2026, 11, 22, tzinfo=UTC)
    )


@pytest.mark.parametrize("wire_type", EVENT_TYPES)
def test_every_event_type_has_a_golden_file(wire_type: str) -> None:
    """A new type or version comes with its example: wire and meaning."""
    assert re.fullmatch(r"[a-z_]+\.[a-z_]+/[1-9][0-9]*", wire_type)
    wire = json.loads(_file(wire_type).read_text())["wire"]
    assert {item["type"] for item in wire} == {wire_type}


@pytest.mark.parametrize("wire_type", EVENT_TYPES)
def test_the_golden_file_shows_every_field(wire_type: str) -> None:
    """The first example sets all fields to other values than their defaults."""
    wire = json.loads(_file(wire_type).read_text())["wire"]
    assert set(wire[0]["data"]) == set(EVENT_TYPES[wire_type].model_fields)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_golden_file_means_what_it_always_meant(file: Path) -> None:
    """Decoding gives all fields as they were, defaults included."""
    golden = json.loads(file.read_text())
    events = [record.event for record in _decode(golden["wire"]).events]
    assert [event.model_dump(mode="json") for event in events] == golden["means"]


@pytest.mark.parametrize("wire_type", EVENT_TYPES)
def test_a_golden_file_is_written_as_it_was_read(wire_type: str) -> None:
    """Encoding what was decoded gives the same commit, envelope included."""
    wire = json.loads(_file(wire_type).read_text())["wire"]
    commit = _decode(wire)
    first = commit.events[0]
    origin = Origin(
        command_id=first.id.rpartition(".")[0],
        source=first.source,
        time=first.time,
        correlation_id=first.correlation_id,
        causation_id=first.causation_id,
        principal=first.principal,
    )
    assert json.loads(codec.encode(commit.subject, [record.event for record in commit.events], origin)) == wire


def test_an_old_version_is_lifted_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two steps lead from the oldest form to the one the program knows."""
    steps = {
        "mailing.halted/1": ("mailing.halted/2", lambda data: {"why": data["text"]}),
        "mailing.halted/2": ("mailing.paused/1", lambda data: {"reason": data["why"]}),
    }
    assert upcasters.lift("mailing.halted/1", {"text": "typo"}, steps) == ("mailing.paused/1", {"reason": "typo"})
    assert upcasters.lift("mailing.paused/1", {"reason": "x"}, steps) == ("mailing.paused/1", {"reason": "x"})
    lift = upcasters.lift
    monkeypatch.setattr(upcasters, "lift", lambda wire_type, data: lift(wire_type, data, steps))
    assert codec.decode_event("mailing.halted/1", {"text": "typo"}) == codec.decode_event(
        "mailing.paused/1", {"reason": "typo"}
    )


def test_every_step_of_the_upcasters_leads_to_a_known_type() -> None:
    """No old version ends nowhere."""
    for wire_type in upcasters.STEPS:
        newest = wire_type
        while newest in upcasters.STEPS:
            newest = upcasters.STEPS[newest][0]
        assert newest in EVENT_TYPES
        assert _file(wire_type).exists()


@pytest.mark.parametrize(
    "change",
    [
        {"type": "mailing.paused/2"},
        {"type": "mailing.unheard_of/1"},
    ],
)
def test_what_a_newer_program_wrote_is_not_guessed(change: dict[str, str]) -> None:
    """An unknown type or version stops the reader, which names it."""
    wire = json.loads(_file("mailing.paused/1").read_text())["wire"]
    with pytest.raises(UnknownEventError, match=re.escape(change["type"])):
        _decode([wire[0] | change])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b"[1]",
        b'[{"id": "x.0"}]',
        b'[{"id":"x","type":"mailing.paused/1","source":"s","time":"never","data":{}}]',
        b'[{"id":"x","type":"mailing.paused/1","source":"s","time":"2026-01-01T00:00:00Z","data":{"no":1}}]',
        b'[{"id":"x","type":"mailing.paused/1","source":"s","time":"2026-01-01T00:00:00Z","data":null}]',
        b'[{"id":"x","type":[],"source":"s","time":"2026-01-01T00:00:00Z","data":{}}]',
    ],
)
def test_what_is_no_commit_is_malformed(body: bytes) -> None:
    """Any other bytes end as one error that a reader can pause on."""
    with pytest.raises(MalformedCommitError):
        codec.decode(body, seq=1, subject="evt.mailing.m", recorded_at=datetime(2026, 11, 22, tzinfo=UTC))
