"""A mailing under way: pause, cancel, failure, limits, hints, doubts, tests."""

import asyncio
from datetime import timedelta

import orjson
import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.account import Limits
from shared.contracts.consent import OptedOut
from shared.contracts.mailing import MailingFailed, MailingPaused
from shared.contracts.relay import (
    AccountPaused,
    AccountReleased,
    ProviderReleased,
    ProviderSlowed,
    ProviderSuspended,
)
from shared.contracts.sending import ChunkParked, ChunkPassed, ChunkStarted, Group, RecipientsSettled
from shared.eventlog.documents import Documents
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_imports import people


async def sending(desk: Desk, count: int = 30, **draft: object) -> str:
    """Return a mailing that is being sent to so many people."""
    await desk.imported(people(count))
    mailing = await desk.drafted(None, **draft)
    await desk.do(commands.FreezeAudience(mailing=mailing))
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    await desk.happened(mailing, "SendingStarted")
    return mailing


async def test_two_minutes_of_work_are_planned_and_more_when_chunks_pass(desk: Desk) -> None:
    """At 600 an hour: chunks of ten, two of them; one that passed makes room, though it is not finished."""
    mailing = await sending(desk, 100, limits={"per_hour": 600})
    chunks = await desk.planned(mailing, 2)
    assert [len(chunk.contacts) for chunk in chunks] == [10, 10]
    await desk.write(subjects.chunk(mailing, 0), ChunkStarted(job=1, worker="w"), ChunkPassed(deferred=3))
    assert len(await desk.planned(mailing, 3)) == 3
    await desk.do(commands.ChangeRate(mailing=mailing, limits=Limits()))
    assert len(await desk.planned(mailing, 10)) == 10


async def test_a_paused_mailing_plans_nothing_and_goes_on_after_resume(desk: Desk) -> None:
    """Resume hints at every chunk that is not finished."""
    mailing = await sending(desk, 100, limits={"per_hour": 600})
    chunks = await desk.planned(mailing, 2)
    await desk.do(commands.PauseMailing(mailing=mailing, reason="lunch"))
    await desk.finish(chunks[0])
    await desk.facts_seen(subjects.chunk(mailing, 0))
    assert len(await desk.plans(mailing)) == 2
    await desk.do(commands.ResumeMailing(mailing=mailing))
    assert len(await desk.planned(mailing, 3)) == 3
    await desk.hinted(mailing, 1)


async def test_a_cancelled_mailing_plans_no_more_and_hints_at_what_is_open(desk: Desk) -> None:
    """So that senders settle the rest as cancelled at once."""
    mailing = await sending(desk, 100, limits={"per_hour": 600})
    chunks = await desk.planned(mailing, 2)
    await desk.do(commands.CancelMailing(mailing=mailing))
    await desk.hinted(mailing, 2)
    for chunk in chunks:
        await desk.finish(chunk, "cancelled")
    await desk.facts_seen(subjects.chunk(mailing, 1))
    assert len(await desk.plans(mailing)) == 2
    assert (await desk.types(mailing))[-1] == "MailingCancelled"


async def test_a_parked_chunk_fails_the_mailing_and_resume_takes_it_up_again(desk: Desk) -> None:
    """The reason names the chunk; after resume it does not fail again for the same parking."""
    mailing = await sending(desk, 3)
    await desk.planned(mailing, 1)
    await desk.write(subjects.chunk(mailing, 0), ChunkParked(reason="payload is missing"))
    await desk.happened(mailing, "MailingFailed")
    failed = [e for e in await desk.events(subjects.mailing(mailing)) if isinstance(e, MailingFailed)]
    assert failed == [MailingFailed(reason="chunk 0: payload is missing")]
    await desk.do(commands.ResumeMailing(mailing=mailing))
    await desk.hinted(mailing, 1)
    chunk = (await desk.plans(mailing))[0]
    await desk.finish(chunk)
    await desk.happened(mailing, "MailingCompleted")
    assert (await desk.types(mailing)).count("MailingFailed") == 1


async def test_a_chunk_that_went_quiet_is_hinted_at_again(desk: Desk) -> None:
    """Jobs may be lost: whatever happened to the first one, another comes."""
    mailing = await sending(desk, 3)
    await desk.planned(mailing, 1)
    await desk.hinted(mailing, 1)
    await desk.hinted(mailing, 2, messages=True)


async def test_a_paused_account_fails_its_mailings_until_they_are_resumed(desk: Desk) -> None:
    """The reason is told; once the account is released and the mailing resumed, its chunks get a hint at once."""
    account = await desk.account()
    mailing = await sending(desk, 3, account=account)
    await desk.planned(mailing, 1)
    await desk.write(subjects.relay(account), AccountPaused(reason="535"))

    async def held() -> bool:
        return not (await desk.ask(commands.Accounts()))["accounts"][0]["working"]

    await until(held)
    await desk.happened(mailing, "MailingFailed")
    before = await desk.hints(mailing)
    assert await desk.refused(commands.ResumeMailing(mailing=mailing)) == "account_not_working"
    other = await desk.drafted(account=await desk.account())
    draft = await desk.ask(commands.Draft(mailing=other))
    wanted = draft | {"account": account}
    del wanted["mailing"]
    assert await desk.refused(commands.DraftMailing.model_validate(wanted)) == "account_not_working"
    await desk.write(subjects.relay(account), AccountReleased())
    await desk.facts_seen(subjects.relay(account))
    await desk.do(commands.ResumeMailing(mailing=mailing))

    async def woken() -> bool:
        return await desk.hints(mailing) > before

    await until(woken)


async def test_chunks_of_a_paused_account_are_not_hinted_at(desk: Desk) -> None:
    """Nobody takes their jobs: hints would pile up for as long as the pause lasts."""
    account = await desk.account()
    held = await sending(desk, 3, account=account)
    await desk.planned(held, 1)
    await desk.write(subjects.relay(account), AccountPaused(reason="535"))
    await desk.facts_seen(subjects.relay(account))
    before = await desk.hints(held)
    other = await sending(desk, 3)
    await desk.planned(other, 1)
    await desk.hinted(other, 2, messages=True)
    assert await desk.hints(held) <= before + 1  # one may have been on its way


async def test_a_mailing_completes_with_doubt_and_a_decision_wakes_the_chunk(desk: Desk) -> None:
    """Only those in doubt can be decided on, and only once."""
    mailing = await sending(desk, 3)
    chunk = (await desk.planned(mailing, 1))[0]
    await desk.finish(chunk, "in_doubt")
    await desk.happened(mailing, "MailingCompleted")
    wanted = commands.DecideDoubt(mailing=mailing, n=0, indexes="0-1", decision="accepted")
    assert await desk.refused(wanted.model_copy(update={"indexes": "0-7"})) == "not_in_doubt"
    await desk.do(wanted)
    await desk.hinted(mailing, 1)
    await desk.do(wanted)
    assert await desk.refused(wanted.model_copy(update={"decision": "rejected"})) == "not_in_doubt"
    assert (await desk.types(mailing)).count("DoubtDecided") == 1


REOPENED = RecipientsSettled(groups=[Group(outcome="released", indexes="0", cause="decided")])
"""What a sender appends when a decision has a recipient sent again that was in doubt."""


async def test_a_doubt_that_is_sent_again_while_paused_goes_out_after_resume(desk: Desk) -> None:
    """The chunk was finished and is open again: it is hinted at like any other, and the mailing waits for it."""
    mailing = await sending(desk, 60, limits={"per_hour": 600})
    (chunk,) = [chunk for chunk in await desk.planned(mailing, 2) if chunk.n == 0]
    await desk.finish(chunk, "in_doubt")
    await desk.do(commands.PauseMailing(mailing=mailing))
    await desk.do(commands.DecideDoubt(mailing=mailing, n=0, indexes="0", decision="resend"))
    await desk.hinted(mailing, 1)
    await desk.write(subjects.chunk(mailing, 0), REOPENED)
    await desk.facts_seen(subjects.chunk(mailing, 0))
    info = await desk.nc.jetstream().stream_info("TIMERS", subjects_filter=f"due.retry.*.*.{mailing}.0")
    before = sum((info.state.subjects or {}).values())
    await desk.do(commands.ResumeMailing(mailing=mailing))

    async def hinted_again() -> bool:
        info = await desk.nc.jetstream().stream_info("TIMERS", subjects_filter=f"due.retry.*.*.{mailing}.0")
        return sum((info.state.subjects or {}).values()) > before

    await until(hinted_again)


async def test_a_completed_mailing_sees_to_what_is_sent_again(desk: Desk) -> None:
    """Jobs and timers may be lost at any moment: a chunk that was opened again is hinted at until it is finished."""
    mailing = await sending(desk, 3)
    chunk = (await desk.planned(mailing, 1))[0]
    await desk.finish(chunk, "in_doubt")
    await desk.happened(mailing, "MailingCompleted")
    await desk.do(commands.DecideDoubt(mailing=mailing, n=0, indexes="0", decision="resend"))
    await desk.write(subjects.chunk(mailing, 0), REOPENED)
    await desk.hinted(mailing, 3, messages=True)


async def test_a_new_rate_wakes_chunks_that_wait_for_a_slot(desk: Desk) -> None:
    """A slot at the old rate may be hours away: the new one is looked at now."""
    mailing = await sending(desk, 1, limits={"per_hour": 1})
    await desk.planned(mailing, 1)
    later = Group.model_validate({"outcome": "released", "indexes": "0", "until": "2099-01-01T00:00:00Z"})
    await desk.write(subjects.chunk(mailing, 0), ChunkStarted(job=1, worker="w"), RecipientsSettled(groups=[later]))
    await desk.facts_seen(subjects.chunk(mailing, 0))
    before = await desk.hints(mailing)
    await desk.do(commands.ChangeRate(mailing=mailing, limits=Limits()))

    async def woken() -> bool:
        return await desk.hints(mailing) > before

    await until(woken)


@pytest.mark.feature("G12")
async def test_a_test_goes_through_the_prompt_lane_with_real_fields(desk: Desk) -> None:
    """A stranger gets the fields of a contact; a contact its own; the same key is one test."""
    await desk.imported(people(2))
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    out = OptedOut(address_key="0" * 16, scope="l1", how="page")
    gone = await desk.write(subjects.consent(0), out)
    wanted = commands.SendTest(mailing=mailing, to=["me@example.com", "p1@x1.example"])
    test = (await desk.do(wanted, "k1"))["test"]
    assert (await desk.do(wanted, "k1"))["test"] == test
    (chunk,) = await desk.plans(test)
    assert (chunk.lane, chunk.kind, chunk.n, chunk.mailing) == ("prompt", "test", 0, test)
    assert chunk.checked == gone  # who opted out before may still be sent a test
    payload = await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(test, 0))
    rows = [orjson.loads(line) for line in payload.split(b"\n")]
    assert [(row["address"], row["fields"]) for row in rows] == [
        ("me@example.com", {"city": "Oslo"}),
        ("p1@x1.example", {"city": "Oslo"}),
    ]
    assert (await desk.types(mailing)).count("TestSent") == 1
    assert await desk.refused(commands.SendTest(mailing=mailing, to=["nobody"])) == "address_invalid"
    assert await desk.refused(commands.SendTest(mailing=mailing)) == "no_own_address"


@pytest.mark.usefixtures("database")
async def test_the_same_key_is_the_same_command(desk: Desk) -> None:
    """Also when both come at once; with another body it is refused; another key is another command."""
    await desk.imported(people(1))
    wanted = commands.OpenCampaign(name="c", lists=["readers"])
    first, second = await asyncio.gather(desk.do(wanted, "k"), desk.do(wanted, "k"))
    assert first == second == await desk.do(wanted, "k")
    assert len(await desk.events(subjects.campaign(first["campaign"]))) == 1
    assert await desk.refused(wanted.model_copy(update={"name": "d"}), "k") == "idempotency_key_reused"
    assert (await desk.do(wanted, "l"))["campaign"] != first["campaign"]


@pytest.mark.feature("P2")
async def test_an_account_that_fails_its_test_cannot_be_used(desk: Desk) -> None:
    """It is recorded and refused; a password never shows up in the log."""
    added = {"name": "r", "host": "127.0.0.1", "port": 25, "senders": ["a@example.com"], "username": "u"}
    wanted = commands.AddAccount.model_validate(added | {"password": "very secret"})
    account = (await desk.do(wanted))["account"]
    await desk.imported(people(1))
    campaign = (await desk.do(commands.OpenCampaign(name="c", lists=["readers"])))["campaign"]
    letter = {"campaign": campaign, "name": "m", "account": account, "sender_address": "a@example.com"}
    draft = commands.DraftMailing.model_validate(letter | {"subject": "s", "text": "t {{ nothing }}"})
    assert await desk.refused(draft) == "unknown_placeholder"
    draft = draft.model_copy(update={"text": "t"})
    assert await desk.refused(draft) == "account_not_tested"
    desk.working = desk.working.model_copy(update={"working": False, "detail": "535 5.7.8 no"})
    assert await desk.refused(commands.TestAccount(account=account)) == "account_not_working"
    assert await desk.refused(draft) == "account_not_working"
    desk.working = desk.working.model_copy(update={"working": True})
    await desk.do(commands.TestAccount(account=account))
    assert await desk.refused(draft.model_copy(update={"sender_address": "b@example.com"})) == "sender_not_allowed"
    await desk.do(draft)
    await desk.facts_seen(subjects.account(account))
    listed = (await desk.ask(commands.Accounts()))["accounts"]
    assert [(each["account"], each["working"]) for each in listed] == [(account, True)]
    assert "very secret" not in str(listed)
    assert "very secret" not in str(await desk.events(subjects.account(account)))


async def test_a_deferred_chunk_that_is_due_later_is_left_alone(desk: Desk) -> None:
    """A chunk whose next try is known gets no hint before."""
    mailing = await sending(desk, 3)
    await desk.planned(mailing, 1)
    later = Group.model_validate(
        {"outcome": "deferred", "indexes": "0-2", "code": 451, "until": "2099-01-01T00:00:00Z"}
    )
    await desk.write(
        subjects.chunk(mailing, 0),
        ChunkStarted(job=1, worker="w"),
        RecipientsSettled(groups=[later]),
        ChunkPassed(deferred=3, until=later.until),
    )
    quiet = await sending(desk, 3)
    await desk.planned(quiet, 1)
    await desk.hinted(quiet, 1)
    assert await desk.hints(mailing) == 0


@pytest.mark.feature("B24")
async def test_a_mailing_that_bounces_too_much_stops_by_itself(desk: Desk) -> None:
    """It pauses with a reason that says what to do; after a resume the same bounces do not stop it again."""
    mailing = await sending(desk, 60, stop={"after": 20, "bounces": 0.2})
    await desk.planned(mailing, 1)
    subject = subjects.chunk(mailing, 0)
    bounced = Group(outcome="rejected", indexes="0-4", code=550, enhanced="5.1.1", text="unknown", scope="address")
    taken = Group(outcome="accepted", indexes="5-18", code=250)
    await desk.write(subject, ChunkStarted(job=1, worker="w"), RecipientsSettled(groups=[bounced, taken]))
    await desk.facts_seen(subject)
    assert "MailingPaused" not in await desk.types(mailing)
    more = Group(outcome="rejected", indexes="19", code=550, enhanced="5.1.1", text="unknown", scope="address")
    await desk.write(subject, RecipientsSettled(groups=[more]))
    await desk.happened(mailing, "MailingPaused")
    paused = [event for event in await desk.events(subjects.mailing(mailing)) if isinstance(event, MailingPaused)]
    assert paused[0].reason.startswith("stopped by itself: 6 of 20 mails")
    await desk.do(commands.ResumeMailing(mailing=mailing))
    again = Group(outcome="rejected", indexes="20-30", code=550, enhanced="5.1.1", text="unknown", scope="address")
    await desk.write(subject, RecipientsSettled(groups=[again]))
    await desk.facts_seen(subject)
    await desk.hinted(mailing, 2, messages=True)
    assert (await desk.types(mailing)).count("MailingPaused") == 1


@pytest.mark.feature("B24")
async def test_one_command_stops_everything_and_one_lets_it_go_on(desk: Desk) -> None:
    """What sends or will is paused with one reason; what somebody had paused before stays paused."""
    first = await sending(desk, 3)
    second = await sending(desk, 3)
    before = await sending(desk, 3)
    await desk.do(commands.PauseMailing(mailing=before, reason="lunch"))
    stopped = await desk.do(commands.StopEverything(reason="wrong prices"), "stop-1")
    assert sorted(stopped["mailings"]) == sorted([first, second])
    assert await desk.do(commands.StopEverything(reason="wrong prices"), "stop-1") == stopped
    assert (await desk.do(commands.StopEverything()))["mailings"] == []
    for mailing in (first, second):
        assert (await desk.types(mailing))[-1] == "MailingPaused"
    resumed = await desk.do(commands.ResumeStopped())
    assert sorted(resumed["mailings"]) == sorted([first, second])
    assert (await desk.types(before))[-1] == "MailingPaused"
    assert (await desk.types(first)).count("MailingResumed") == 1


async def test_chunks_of_a_suspended_provider_wait_and_are_hinted_at_when_it_is_released(desk: Desk) -> None:
    """While it is suspended nobody takes their jobs; the release wakes them, and the account says what holds."""
    account = await desk.account()
    mailing = await sending(desk, 3, account=account)
    await desk.planned(mailing, 1)
    at = clock.now()
    held = ProviderSuspended(provider="", rule="quota", since=at, until=at + timedelta(hours=1))
    slow = ProviderSlowed(provider="gmail", rule="too-fast", since=at, per_hour=600, full=6000, step=60)
    await desk.write(subjects.relay(account), held, slow)
    await desk.facts_seen(subjects.relay(account))
    shown = (await desk.ask(commands.Accounts()))["accounts"][0]
    assert [(each["provider"], each["per_hour"], each["rule"]) for each in shown["slowed"]] == [
        ("gmail", 600, "too-fast")
    ]
    assert [(each["provider"], each["rule"]) for each in shown["suspended"]] == [("", "quota")]
    before = await desk.hints(mailing)
    await desk.write(subjects.relay(account), ProviderReleased(provider="", what="suspended"))

    async def woken() -> bool:
        return await desk.hints(mailing) > before

    await until(woken)
    assert (await desk.ask(commands.Accounts()))["accounts"][0]["suspended"] == []
