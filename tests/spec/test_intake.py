"""What producers may say: good events are read, each bad one is named by its place and field, never by its value."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from shared.contracts import intake
from shared.contracts.intake import ContactRemovedFromList, ContactUpserted, Told
from shared.contracts.records import KINDS, kinds_of


def event(**more: object) -> dict[str, Any]:
    """Return a good event, changed by `more`; what is None is left out."""
    data = {"id": "4711", "version": 3, "addresses": ["ann@one.example"], "name": "Ann", "lists": ["readers"]}
    found: dict[str, Any] = {"specversion": "1.0", "id": "e1", "source": "crm", "type": "contact.upserted/1"}
    found |= {"data": data} | more
    return {name: value for name, value in found.items() if value is not None}


def with_data(**more: object) -> dict[str, Any]:
    """Return a good event with other data."""
    return event(data={name: value for name, value in (event()["data"] | more).items() if value is not None})


def problem(wrong: object) -> str:
    """Return what is wrong with one event."""
    told, problems = intake.read(json.dumps(wrong).encode())
    assert told == []
    (found,) = problems
    return str(found)


def test_one_event_and_a_batch_are_read_alike() -> None:
    """An object is a list of one."""
    told = Told("crm", 3, ContactUpserted.model_validate(event()["data"]))
    assert intake.read(json.dumps(event()).encode()) == ([told], [])
    assert intake.read(json.dumps([event(), event()]).encode()) == ([told, told], [])
    assert intake.read(b"[]") == ([], [])


def test_the_kind_of_a_record_is_one_of_its_fields() -> None:
    """In small letters; where it is not told there is none."""
    ((told,), _) = intake.read(json.dumps(with_data(kind="Account", fields={"city": "Oslo"})).encode())
    assert isinstance(told.data, ContactUpserted)
    assert told.data.merged == {"city": "Oslo", "kind": "account"}
    assert ContactUpserted.model_validate(event()["data"]).merged == {}


def test_where_kinds_are_known_a_record_is_of_one_of_them() -> None:
    """By `kind` or by the field of that name, of the record or a person; without them any word may be one."""
    person = {"name": "Joe", "addresses": ["joe@one.example"], "fields": {"kind": "donor"}}
    for wrong, field in (
        ({"kind": "donor"}, "data.kind"),
        ({"fields": {"kind": "donor"}}, "data.fields"),
        ({"persons": [person]}, "data.persons.0.fields"),
    ):
        body = json.dumps(with_data(**wrong)).encode()
        assert intake.read(body)[1] == []
        told, (found,) = intake.read(body, KINDS)
        assert (told, found.field) == ([], field)
        assert "contact, lead, account, user are" in found.why
        assert intake.read(body, (*KINDS, "donor"))[1] == []


def test_kinds_are_added_by_settings() -> None:
    """Separated by commas; the usual ones are always known, and what is no word is refused."""
    assert kinds_of("") == KINDS
    assert kinds_of(" partner, lead,donor-2 ") == (*KINDS, "partner", "donor-2")
    for wrong in ("Partner", "a b", "1st", "x" * 41):
        with pytest.raises(ValueError, match="is no kind of record"):
            kinds_of(f"partner,{wrong}")


def test_a_contact_leaves_a_list() -> None:
    """The other type has a list instead."""
    left = event(type="contact.removed_from_list/1", data={"id": "4711", "version": 4, "list": "readers"})
    told, problems = intake.read(json.dumps(left).encode())
    assert problems == []
    assert told == [Told("crm", 4, ContactRemovedFromList(id="4711", version=4, list="readers"))]


def test_without_a_version_the_time_orders() -> None:
    """Microseconds since 1970, whatever the zone."""
    body = with_data(version=None) | {"time": "2026-11-27T12:00:00.000001+02:00"}
    ((told,), _) = intake.read(json.dumps(body).encode())
    assert told.version == round(datetime(2026, 11, 27, 10, tzinfo=UTC).timestamp() * 1_000_000) + 1


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ("text", "event 0: "),
        (event(type="contact.created/1"), "event 0, type: "),
        (event(specversion="0.3"), "event 0, specversion: "),
        (event(source=None), "event 0, source: "),
        (event(source="a@b.example"), "event 0, source: "),
        (event(tenant="x"), "event 0, tenant: "),
        (event(data=None), "event 0, data: "),
        (with_data(id="ann@one.example"), "event 0, data.id: "),
        (with_data(version=-1), "event 0, data.version: "),
        (with_data(version=None), "event 0, data.version: "),
        (with_data(addresses=["no address"]), "event 0, data.addresses: "),
        (with_data(kind="no kind"), "event 0, data.kind: "),
        (with_data(fields={"time_zone": "Mars/Base"}), "event 0, data.fields: Value error, time_zone is no time zone"),
        (with_data(fields={"language": "Greek!"}), "event 0, data.fields: Value error, language is no language tag"),
        (with_data(addresses=["a@b.example"] * 4), "event 0, data.addresses: "),
        (with_data(name="Ann\r\nBcc: x"), "event 0, data.name: "),
        (with_data(fields={"city": "x" * 4_001}), "event 0, data.fields.city: "),
        (with_data(fields={"bad name": "x"}), "event 0, data.fields.bad name"),
        (with_data(lists=[""]), "event 0, data.lists.0: "),
        (with_data(surname="x"), "event 0, data.surname: "),
        (with_data(version=None) | {"time": "2026-11-27T12:00:00"}, "event 0, time: "),
        (with_data(version=None) | {"time": "1066-10-14T12:00:00Z"}, "event 0, time: "),
    ],
)
def test_what_does_not_fit_is_named_by_its_field(wrong: object, where: str) -> None:
    """With the path as the producer wrote it."""
    assert problem(wrong).startswith(where)


def test_the_good_events_of_a_message_are_good() -> None:
    """A bad one costs itself only; many are named by the first few."""
    told, problems = intake.read(json.dumps([event(), with_data(id=""), event()]).encode())
    assert len(told) == 2
    assert [found.place for found in problems] == [1]
    reason = intake.reason(problems * 7, 9)
    assert reason.startswith("7 of 9 events: event 1, data.id: ")
    assert reason.endswith("; ...")


def test_a_problem_never_holds_what_was_sent() -> None:
    """Values may be personal: they stand in no reason."""
    for wrong in (with_data(name="Secret\n"), with_data(addresses=["secret@"]), with_data(id="secret@x.example")):
        assert "ecret" not in problem(wrong)


def test_no_json_and_too_many_events_are_refused_as_a_whole() -> None:
    """There is no place to name."""
    assert intake.read(b"\xff")[1][0].why.startswith("no JSON")
    told, problems = intake.read(json.dumps([event()] * (intake.MOST_EVENTS + 1)).encode())
    assert (told, len(problems)) == ([], 1)
