"""Intake over NATS: messages of producers become contacts once; what does not fit is parked and can be handed back."""

import asyncio
import json
from typing import Any

import orjson
import pytest

from shared.contracts import commands, subjects
from shared.contracts.audience import ContactsSynced
from shared.eventlog.reader import Reader
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk


def told(record: int | str, version: int = 1, **more: object) -> dict[str, Any]:
    """Return a CloudEvent that a contact is now so, on the list of readers."""
    data = {"id": str(record), "version": version, "addresses": [f"p{record}@x.example"], "lists": ["readers"]}
    return {
        "specversion": "1.0",
        "id": f"{record}-{version}",
        "source": "crm",
        "type": "contact.upserted/1",
        "data": data | more,
    }


class Producer:
    """Publishes on `in.contacts`, and what came of it."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.inbox = Reader(desk.nc, subjects.INBOX)
        self._last = 0

    async def publish(self, *events: dict[str, Any]) -> int:
        """Publish a message and return its sequence."""
        ack = await self.desk.nc.jetstream().publish("in.contacts", json.dumps(events).encode())
        self._last = ack.seq
        return ack.seq

    async def done(self) -> None:
        """Wait until nothing is to be taken in any more."""

        async def nothing() -> bool:
            info = await self.desk.nc.jetstream().consumer_info(subjects.INBOX, subjects.PLANNER_INTAKE)
            return info.ack_floor is not None and (info.ack_floor.stream_seq or 0) >= self._last

        await until(nothing, 20)

    async def readers(self) -> int:
        """Return how many are on the list."""
        found = (await self.desk.ask(commands.Lists()))["lists"]
        return next((row["members"] for row in found if row["name"] == "readers"), 0)

    async def parked(self) -> list[tuple[int, dict[str, Any]]]:
        """Return the pointers with their sequences."""
        found = await Reader(self.desk.nc, subjects.PARKED).batch(subjects.ALL_PARKED, 1, 100)
        return [(stored.seq, orjson.loads(stored.data)) for stored in found]

    async def recorded(self) -> list[ContactsSynced]:
        """Return what stands in the log of it."""
        found = []
        async for commits in self.desk.log.scan([subjects.ALL_AUDIENCE]):
            found += [record.event for commit in commits for record in commit.events]
        return [event for event in found if isinstance(event, ContactsSynced)]


@pytest.fixture
def producer(desk: Desk) -> Producer:
    """Return a producer."""
    return Producer(desk)


async def test_contacts_are_taken_in_counted_and_the_messages_erased(producer: Producer) -> None:
    """Counts stand in the log under the source; INBOX holds nothing of it."""
    for start in range(0, 1_200, 400):
        await producer.publish(*(told(record) for record in range(start, start + 400)))
    await producer.done()
    assert await producer.readers() == 1_200
    recorded = await producer.recorded()
    assert sum(event.added for event in recorded) == sum(event.joined for event in recorded) == 1_200
    assert {event.source for event in recorded} == {"crm"}
    assert await producer.inbox.last(subjects.CONTACTS_IN) is None


async def test_a_message_delivered_again_changes_nothing(producer: Producer) -> None:
    """Neither contacts nor log; late ones do not undo newer ones."""
    await producer.publish(told(1, 2, name="New"))
    await producer.done()
    before = await producer.recorded()
    await producer.publish(told(1, 2, name="New"), told(1, 1, name="Old"))
    await producer.done()
    assert await producer.recorded() == before
    assert await producer.readers() == 1


async def test_a_bad_event_is_parked_and_the_good_ones_are_taken(producer: Producer) -> None:
    """The pointer names the field; the message stays until it is dropped, and is erased then."""
    seq = await producer.publish(told(1), told(2, addresses=["nonsense"]), told(3))
    await producer.done()
    assert await producer.readers() == 2
    ((pointer_seq, pointer),) = await producer.parked()
    assert (pointer["stream"], pointer["seq"], pointer["role"]) == (subjects.INBOX, seq, "intake")
    assert pointer["reason"].startswith("1 of 3 events: event 1, data.addresses: ")
    assert await producer.desk.refused(commands.Redrive(seq=pointer_seq)) == "cannot_redrive"
    assert await producer.inbox.at(seq) is not None
    await producer.desk.do(commands.Redrive(seq=pointer_seq, drop=True))
    assert await producer.inbox.at(seq) is None
    assert await producer.parked() == []


async def test_a_parked_message_can_be_handed_back_once_it_is_understood(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after an upgrade: what did not fit is taken in and erased, the pointer is gone."""
    with monkeypatch.context() as older:
        older.setattr("shared.contracts.intake.EVENTS", {})
        seq = await producer.publish(told(1))
        await producer.done()
    ((pointer_seq, _),) = await producer.parked()
    assert await producer.readers() == 0
    await producer.desk.do(commands.Redrive(seq=pointer_seq))
    assert await producer.readers() == 1
    assert (await producer.parked(), await producer.inbox.at(seq)) == ([], None)


async def test_what_came_while_the_planner_was_down_is_taken_in_when_it_is_up(producer: Producer) -> None:
    """The durable keeps its place."""
    await producer.desk.down()
    await producer.publish(told(1))
    await producer.desk.up()
    await producer.done()
    assert await producer.readers() == 1


async def test_commands_are_answered_while_contacts_come_in(producer: Producer) -> None:
    """No transaction of the intake keeps others out for long."""
    for start in range(0, 8_000, 1_000):
        await producer.publish(*(told(record) for record in range(start, start + 1_000)))
    slowest, loop = 0.0, asyncio.get_running_loop()
    answered = 0
    while (known := await producer.readers()) < 8_000:
        if not known:  # there is no list yet
            continue
        began = loop.time()
        await producer.desk.do(commands.OpenCampaign(name="c", lists=["readers"]))
        answered += 1
        slowest = max(slowest, loop.time() - began)
    assert answered > 2
    assert slowest < 3  # the planner shares the loop and the machine with the test
