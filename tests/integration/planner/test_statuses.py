"""Statuses of customers on the log: set once, whoever looks how often, and never against what their system said."""

import json
from datetime import timedelta
from typing import Any

import pytest

from shared.clock import now
from shared.contracts import commands, subjects
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.sending import ChunkPlanned
from shared.contracts.statuses import CustomerOutcome, StatusesSet
from shared.eventlog.documents import Documents
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

WORDS: dict[CustomerOutcome, str] = {"sent": "Written to", "clicked": "Interested", "removed": "No mail"}


def told(record: str, *addresses: str, version: int = 1, **more: object) -> dict[str, Any]:
    """Return what a producer says of a record."""
    data = {"id": record, "version": version, "addresses": list(addresses), "lists": ["readers"], **more}
    return {
        "specversion": "1.0",
        "id": f"{record}-{version}",
        "source": "crm",
        "type": "contact.upserted/1",
        "time": now().isoformat(),
        "data": data,
    }


async def synced(desk: Desk, *events: dict[str, Any]) -> None:
    """Have a producer say it, and wait until it is taken in."""
    js = desk.nc.jetstream()
    stored = await js.publish(subjects.CONTACTS_IN, json.dumps(events).encode())

    async def taken() -> bool:
        info = await js.consumer_info(subjects.INBOX, subjects.PLANNER_INTAKE)
        return info.ack_floor is not None and (info.ack_floor.stream_seq or 0) >= stored.seq

    await until(taken, 15)


async def sent(desk: Desk, statuses: dict[CustomerOutcome, str], campaign: str = "") -> tuple[str, ChunkPlanned]:
    """Send a mailing to the readers in a campaign with such a mapping; return the campaign and its chunk."""
    if not campaign:
        opened = await desk.do(commands.OpenCampaign(name="c", lists=["readers"], statuses=statuses))
        campaign = opened["campaign"]
    wanted = {"campaign": campaign, "name": "m", "account": await desk.account(), "sender_address": "a@example.com"}
    drafted = await desk.do(commands.DraftMailing.model_validate(wanted | {"subject": "s", "text": "t"}))
    mailing = drafted["mailing"]
    await desk.do(commands.FreezeAudience(mailing=mailing))
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    (chunk,) = await desk.planned(mailing, 1)
    await desk.finish(chunk)
    return campaign, chunk


async def clicked(desk: Desk, chunk: ChunkPlanned, contact: str) -> None:
    """Let a person follow a link, some seconds from now."""
    at = now() + timedelta(seconds=20)  # nobody reads at once
    where = chunk.contacts.index(contact)
    fact = f"h{contact}"
    hit = Hit(id=fact, kind="click", mailing=chunk.mailing, n=chunk.n, index=where, link=0, at=at, agent="desktop")
    await desk.write(subjects.engagement(0), HitsRecorded(hits=[hit]))


async def said(desk: Desk, campaign: str) -> list[tuple[str, str, str]]:
    """Return who got which status by what, in order."""
    events = await desk.events(subjects.statuses(campaign))
    return [
        (contact, event.status, event.outcome)
        for event in events
        if isinstance(event, StatusesSet)
        for contact in sorted(event.contacts)
    ]


async def becomes(desk: Desk, campaign: str, count: int) -> list[tuple[str, str, str]]:
    """Wait until so many statuses were set, and return them."""

    async def there() -> bool:
        return len(await said(desk, campaign)) >= count

    await until(there, 15)
    return await said(desk, campaign)


@pytest.mark.feature("M3")
async def test_outcomes_set_the_words_of_the_campaign_once(desk: Desk) -> None:
    """Sent, then clicked by one of two; a planner that starts anew and has lost its marks sets nothing again."""
    await synced(desk, told("1", "ann@one.example"), told("2", "bob@two.example"))
    campaign, chunk = await sent(desk, WORDS)
    ann, bob = sorted(chunk.contacts)
    first = [(ann, "Written to", "sent"), (bob, "Written to", "sent")]
    assert await becomes(desk, campaign, 2) == first
    await clicked(desk, chunk, bob)
    assert await becomes(desk, campaign, 3) == [*first, (bob, "Interested", "clicked")]
    await desk.down()
    await desk.up()
    await desk.do(
        commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], statuses=WORDS | {"read": "Has read"})
    )
    await clicked(desk, chunk, ann)
    assert await becomes(desk, campaign, 4) == [*first, (bob, "Interested", "clicked"), (ann, "Interested", "clicked")]


@pytest.mark.feature("M3")
async def test_two_addresses_of_a_customer_are_one_status(desk: Desk) -> None:
    """Two mails go out, one status is told; a mapping that comes later is for what happened before, too."""
    await synced(desk, told("1", "ann@one.example", "ann@home.example"))
    campaign, chunk = await sent(desk, {})
    assert len(chunk.contacts) == 2
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], statuses=WORDS))
    ((first, *told_of),) = await becomes(desk, campaign, 1)
    assert told_of == ["Written to", "sent"]
    (other,) = set(chunk.contacts) - {first}
    await clicked(desk, chunk, other)
    assert await becomes(desk, campaign, 2) == [(first, "Written to", "sent"), (other, "Interested", "clicked")]


@pytest.mark.feature("M3")
async def test_what_the_crm_said_is_not_undone_by_an_older_outcome(desk: Desk) -> None:
    """A mapping that looks at a mail of before the word of the CRM leaves the word; what comes after moves on."""
    await synced(desk, told("1", "ann@one.example"), told("2", "bob@two.example"))
    campaign, chunk = await sent(desk, {})
    second = int(now().timestamp())
    await until(lambda: int(now().timestamp()) > second, 5)  # times of outcomes are told apart by the second
    await synced(desk, told("1", "ann@one.example", version=2, status="Customer"))
    await desk.do(commands.EditCampaign(campaign=campaign, name="c", lists=["readers"], statuses=WORDS))
    ((bob, *_),) = await becomes(desk, campaign, 1)
    (ann,) = set(chunk.contacts) - {bob}
    await clicked(desk, chunk, ann)
    assert await becomes(desk, campaign, 2) == [(bob, "Written to", "sent"), (ann, "Interested", "clicked")]


async def _found(desk: Desk, rule: str) -> list[str]:
    rows: list[dict[str, Any]] = (await desk.ask(commands.CountSegment(rule=rule)))["rows"]
    return sorted(row["address"] for row in rows)


async def _payload(desk: Desk, chunk: ChunkPlanned) -> dict[str, str]:
    """Return the status that each address of a chunk is written to with."""
    stored = await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(chunk.mailing, chunk.n))
    return {row["address"]: row["fields"]["person.status"] for row in map(json.loads, stored.split(b"\n"))}


@pytest.mark.feature("M3")
async def test_rules_and_templates_know_the_status_as_it_is_now(desk: Desk) -> None:
    """What the CRM said, until a mail sets another one for all addresses of the customer; nothing where none is."""
    people = [told("1", "ann@one.example", "ann@home.example", status="Lead"), told("2", "bob@two.example")]
    await synced(desk, *people)
    lead = "person.status = 'lead'"
    assert await _found(desk, lead) == ["ann@home.example", "ann@one.example"]
    assert await _found(desk, "Person.Status is empty") == ["bob@two.example"]
    opened = await desk.do(commands.OpenCampaign(name="c", lists=["readers"]))
    wanted = opened | {"name": "m", "account": await desk.account(), "sender_address": "a@example.com"}
    letter = {"subject": "{{ Person.status }}", "text": "{% if person.status == 'Lead' %}Welcome{% endif %}"}
    drafted = await desk.do(commands.DraftMailing.model_validate(wanted | letter))
    seen = await desk.ask(commands.PreviewMailing(mailing=drafted["mailing"], contact="ann@home.example"))
    assert (seen["subject"], seen["text"].split()[0]) == ("Lead", "Welcome")
    await desk.do(commands.FreezeAudience(mailing=drafted["mailing"]))
    await desk.do(commands.ScheduleMailing(mailing=drafted["mailing"]))
    (first,) = await desk.planned(drafted["mailing"], 1)
    assert await _payload(desk, first) == {"ann@home.example": "Lead", "ann@one.example": "Lead", "bob@two.example": ""}
    second = int(now().timestamp())
    await until(lambda: int(now().timestamp()) > second, 5)  # in the same second the CRM would be right
    campaign, chunk = await sent(desk, WORDS)
    assert len(await becomes(desk, campaign, 2)) == 2
    await until(lambda: _found(desk, "person.status starts with 'written'"), 15)
    everybody = ["ann@home.example", "ann@one.example", "bob@two.example"]
    assert await _found(desk, "person.status in ('Written to', 'x')") == everybody
    assert await _found(desk, f"{lead} or person.status is empty") == []
    (bob,) = (await desk.ask(commands.CountSegment(rule="email = 'bob@two.example'")))["rows"]
    await clicked(desk, chunk, bob["contact"])
    await until(lambda: _found(desk, "person.status = 'Interested'"), 15)
    assert await _found(desk, "not person.status = 'Written to'") == ["bob@two.example"]
