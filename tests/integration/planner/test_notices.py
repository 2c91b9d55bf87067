"""Notices: owed once an event calls for one, planned once, whatever dies or fails in between."""

import shutil

import orjson
import pytest

from services.planner.notices.notice_facts import notice_id
from shared.contracts import commands, subjects
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import MailingCompleted, MailingDrafted, MailingFailed, MailingPaused
from shared.contracts.sending import ChunkPlanned, ChunkStarted, Group, RecipientsSettled
from shared.eventlog.documents import Documents
from shared.ids import new_id
from tests.harness.databases import lay
from tests.integration.planner.conftest import LETTER, Desk
from tests.integration.planner.test_running import sending

TOLD = ["boss@example.org", "Editor@Example.org"]


async def notice(desk: Desk, mailing: str, event: type[DomainEvent]) -> str:
    """Return the id of the notice that the last event of a type calls for."""
    records = [record for commit in await desk.log.load(subjects.mailing(mailing)) for record in commit.events]
    return notice_id(next(record for record in reversed(records) if isinstance(record.event, event)))


async def letter(desk: Desk, notice: str) -> tuple[ChunkPlanned, list[dict[str, str]]]:
    """Return the plan of a notice and what is filled in for each recipient."""
    (plan,) = await desk.planned(notice, 1)
    payload = await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(notice, 0))
    rows = [orjson.loads(line) for line in payload.split(b"\n")]
    return plan, [{"to": row["address"], **row["fields"]} for row in rows]


@pytest.mark.feature("G4", "G12")
async def test_each_stand_of_a_mailing_is_told_once_and_what_people_do_is_not(desk: Desk) -> None:
    """Stopped by its errors: totals, reply and remedy; paused by a person: nothing; completed: the end."""
    mailing = await sending(desk, 10, notify=TOLD, stop={"after": 1, "errors": 0.2, "bounces": None})
    (chunk,) = await desk.planned(mailing, 1)
    refused = Group(
        outcome="rejected", indexes="0-3", code=550, enhanced="5.7.1", text="no {{ spam }} here", scope="content"
    )
    accepted = Group(outcome="accepted", indexes="4-5", code=250)
    await desk.write(subjects.chunk(mailing, 0), ChunkStarted(job=1, worker="w"))
    await desk.write(subjects.chunk(mailing, 0), RecipientsSettled(groups=[refused, accepted]))
    await desk.happened(mailing, "MailingPaused")
    stopped = await notice(desk, mailing, MailingPaused)
    plan, (first, second) = await letter(desk, stopped)
    assert (plan.kind, plan.lane, plan.account, plan.contacts) == ("notice", "prompt", chunk.account, ["notice"] * 2)
    assert (first["to"], second["to"]) == ("boss@example.org", "Editor@Example.org")
    assert first["notice_subject"] == "Paused: m"
    for said in ("Why: ", "accepted: 2\n  rejected: 4\n  not settled: 4", "4 x 550 5.7.1 no {{ spam }} here", "resume"):
        assert said in first["notice_text"]
    await desk.do(commands.ResumeMailing(mailing=mailing))
    await desk.do(commands.PauseMailing(mailing=mailing, reason="lunch"))
    await desk.do(commands.ResumeMailing(mailing=mailing))
    await desk.finish(chunk)
    await desk.happened(mailing, "MailingCompleted")
    _, (first, _) = await letter(desk, await notice(desk, mailing, MailingCompleted))
    assert "is completed" in first["notice_text"]
    assert await desk.plans(await notice(desk, mailing, MailingPaused)) == []


async def test_a_notice_survives_what_dies_around_it_and_is_planned_once(desk: Desk) -> None:
    """The planner is down at the event, or died after the payload, or lost its tables: one plan, one payload."""
    mailing = await sending(desk, 10, notify=TOLD)
    await desk.planned(mailing, 1)
    await desk.down()
    await desk.write(subjects.mailing(mailing), MailingCompleted(totals={"accepted": 10}))
    told = await notice(desk, mailing, MailingCompleted)
    row = {"contact": "b7k2m9x0q3fd", "address": "first@example.org", "address_key": "0" * 16, "fields": {}}
    await Documents(desk.nc, subjects.PAYLOADS).put_once(subjects.payload(told, 0), orjson.dumps(row))
    await desk.up()
    plan, rows = await letter(desk, told)
    assert (plan.contacts, rows) == (["b7k2m9x0q3fd"], [{"to": "first@example.org"}])
    await desk.down()
    shutil.rmtree(desk.settings.data_dir)
    lay(desk.settings.data_dir)
    await desk.up()
    await desk.do(commands.ResumeAfterRestore())
    await desk.facts_seen(subjects.plans_of(told))
    assert len(await desk.plans(told)) == 1


async def test_a_notice_that_cannot_be_planned_holds_up_nothing(desk: Desk) -> None:
    """One whose content is gone is left; that of the next mailing goes out, and mailings go on."""
    account = await desk.account()
    lost = new_id()
    drafted = MailingDrafted(campaign="c", name="lost", account=account, content="0" * 64, subject="s", notify=1)
    await desk.write(subjects.mailing(lost), drafted, MailingFailed(reason="why"))
    mailing = await sending(desk, 10, account=account, notify=TOLD[:1])
    (chunk,) = await desk.planned(mailing, 1)
    await desk.finish(chunk)
    await desk.happened(mailing, "MailingCompleted")
    await letter(desk, await notice(desk, mailing, MailingCompleted))
    assert await desk.plans(await notice(desk, lost, MailingFailed)) == []


async def test_who_is_told_is_kept_with_the_content_and_nowhere_in_the_log(desk: Desk) -> None:
    """A draft shows them again; an edit replaces them; events hold how many; a wrong address is refused."""
    await desk.imported(b"email\none@example.org\n")
    mailing = await desk.drafted(notify=[*TOLD, TOLD[0]])
    shown = await desk.ask(commands.Draft(mailing=mailing))
    assert shown["notify"] == ["boss@example.org", "Editor@Example.org"]
    (drafted,) = await desk.events(subjects.mailing(mailing))
    assert isinstance(drafted, MailingDrafted)
    assert drafted.notify == 2
    assert "example.org" not in drafted.model_dump_json()
    known = {name: shown[name] for name in ("campaign", "account", "name", "sender_address")}
    wanted = commands.EditMailing.model_validate(LETTER | known | {"mailing": mailing, "notify": ["a@b.example", "no"]})
    answer = await desk.client.command(wanted, "")
    assert answer.refusal is not None
    assert (answer.refusal.code, answer.refusal.field) == ("bad_address", "notify.1")
    await desk.do(wanted.model_copy(update={"notify": []}))
    assert (await desk.ask(commands.Draft(mailing=mailing)))["notify"] == []
