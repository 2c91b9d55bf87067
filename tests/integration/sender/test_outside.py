"""What comes from outside while a chunk is at work: cancel, window, deadline, decisions, lost payloads, spare jobs."""

import asyncio
from datetime import timedelta
from zoneinfo import ZoneInfo

import orjson

from services.sender.chunks.chunk import Status
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.account import AccountTested
from shared.contracts.mailing import (
    DoubtDecided,
    MailingCancelled,
    MailingFailed,
    MailingPaused,
    MailingResumed,
    MailingScheduled,
    WindowOpened,
)
from shared.contracts.mailing_settings import SendingHours, Span
from shared.contracts.sending import ChunkParked, RecipientsClaimed
from shared.eventlog.documents import Documents
from tests.harness.sending import Sending
from tests.harness.smtp import Act, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until


def people(count: int, prefix: str = "ann") -> list[str]:
    """Return addresses whose local part begins with `prefix`."""
    return [f"{prefix}-{i}@example.com" for i in range(count)]


async def test_a_cancel_settles_outstanding_and_deferred_recipients(sending: Sending, relay: ScriptedSmtp) -> None:
    """What was not sent is cancelled with the event as its cause; what was sent stays."""
    sending.environment["POSTHASTE_RETRY_FIRST"] = "60"
    sending.environment["POSTHASTE_RETRY_LONGEST"] = "60"
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, people(5) + people(3, "busy"))
    sending.start_sender()
    await until(lambda: len(relay.accepted) == 5, 20)

    async def passed() -> bool:
        return (await sending.chunk(ref)).passed

    await until(passed)
    await sending.append(subjects.mailing("m1"), MailingCancelled())
    await sending.timers.fire(ref.due_retry)
    assert await sending.finished(ref) == {"accepted": 5, "cancelled": 3}


async def test_nothing_is_sent_after_the_window_ends(sending: Sending, relay: ScriptedSmtp) -> None:
    """A window that is over keeps its chunks pending; the next one opens and they go out."""
    await sending.start_mailing("m1", until_=now() - timedelta(seconds=1))
    ref = await sending.plan("m1", 0, people(10))
    sending.start_sender()
    jobs = sending.log.nc.jetstream()

    async def job_is_gone() -> bool:
        return (await jobs.stream_info(subjects.JOBS)).state.messages == 0

    await until(job_is_gone, 20)
    assert relay.accepted == []
    await sending.append(subjects.mailing("m1"), WindowOpened(until=now() + timedelta(hours=1)))
    await sending.timers.fire(ref.due_retry)
    assert await sending.finished(ref) == {"accepted": 10}


async def test_a_chunk_with_a_zone_of_its_own_waits_for_the_hours_there(sending: Sending, relay: ScriptedSmtp) -> None:
    """It is midday in one zone, in the other the hours begin in two seconds: nobody there gets a mail before."""
    await sending.start_mailing("m0")
    sending.start_sender()
    await sending.finished(await sending.plan("m0", 0, ["warm-up@example.com"]))
    at, tokyo = now(), ZoneInfo("Asia/Tokyo")
    opens = (at + timedelta(seconds=2)).replace(microsecond=0) + timedelta(seconds=1)
    here = Span(start=(at - timedelta(minutes=1)).time(), end=(at + timedelta(hours=1)).time())
    there = Span(start=opens.astimezone(tokyo).time(), end=(opens + timedelta(hours=1)).astimezone(tokyo).time())
    hours = SendingHours(start=here.start, end=here.end, more=[there])
    scheduled = MailingScheduled(at=at - timedelta(days=2), hours=hours)
    await sending.start_mailing("m1", scheduled=scheduled)
    awake = await sending.plan("m1", 0, people(3, "awake"), zone="UTC")
    asleep = await sending.plan("m1", 1, people(3, "asleep"), zone="Asia/Tokyo")
    assert await sending.finished(awake, asleep) == {"accepted": 6}
    claims = await sending.log.load(subjects.chunk("m1", 1))
    claimed = [c for c in claims if any(isinstance(record.event, RecipientsClaimed) for record in c.events)]
    assert claimed[0].recorded_at >= opens - timedelta(milliseconds=50), "so well it knows the clock of the server"
    assert all("awake" in mail.recipient for mail in relay.accepted[1:4])


async def test_after_the_deadline_recipients_expire(sending: Sending, relay: ScriptedSmtp) -> None:
    """Too late to send is an outcome of its own."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, people(10), expires_at=now() - timedelta(seconds=1))
    sending.start_sender()
    assert await sending.finished(ref) == {"expired": 10}
    assert relay.accepted == []


async def test_a_retry_budget_ends_in_expired(sending: Sending) -> None:
    """A mailbox that is always busy is tried within the budget, then given up."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, people(2, "busy"), retry_for=1)
    sending.start_sender()
    assert await sending.finished(ref) == {"expired": 2}


async def test_a_missing_payload_parks_the_chunk(sending: Sending, relay: ScriptedSmtp) -> None:
    """Nothing can be sent without the payload: the chunk waits for an operator, the others go on."""
    await sending.start_mailing("m1")
    lost = await sending.plan("m1", 0, people(10), payload=False)
    kept = await sending.plan("m1", 1, people(10, "bob"))
    sending.start_sender()
    assert await sending.finished(kept) == {"accepted": 10}

    async def parked() -> int:
        commits = await sending.log.load(subjects.chunk("m1", lost.n))
        return sum(isinstance(record.event, ChunkParked) for commit in commits for record in commit.events)

    await until(parked)
    assert len(relay.accepted) == 10
    await sending.append(subjects.mailing("m1"), MailingFailed(reason="parked"), MailingResumed())
    await sending.timers.fire(lost.due_retry)

    async def said_again() -> bool:
        return await parked() == 2

    await until(said_again)


async def test_an_altered_row_is_skipped_the_others_go_out(sending: Sending, relay: ScriptedSmtp) -> None:
    """A row that is blank was erased, one that differs from its digest was altered: neither is sent."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, people(4))
    payloads = Documents(sending.nc, subjects.PAYLOADS)
    rows = (await payloads.get(subjects.payload("m1", 0))).split(b"\n")
    rows[1] = b'{"contact":""}'
    rows[2] = rows[2].replace(b"ann-2", b"eve-2")
    await payloads.replace(subjects.payload("m1", 0), b"\n".join(rows))
    sending.start_sender()
    assert await sending.finished(ref) == {"accepted": 2, "skipped": 2}
    assert {mail.recipient for mail in relay.accepted} == {"ann-0@example.com", "ann-3@example.com"}


async def test_spare_and_late_jobs_send_nothing_twice(sending: Sending, relay: ScriptedSmtp) -> None:
    """A job is a hint: any number of them, during the work and after it, changes nothing."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, people(300))
    for _ in range(5):
        await sending.timers.fire(ref.due_retry)
    sending.start_sender()
    sending.start_sender()
    await until(lambda: len(relay.accepted) > 10, 20)
    for _ in range(5):
        await sending.timers.fire(ref.due_retry)
    assert await sending.finished(ref) == {"accepted": 300}
    for _ in range(5):
        await sending.timers.fire(ref.due_retry)
    jobs = sending.log.nc.jetstream()

    async def queue_is_empty() -> bool:
        return (await jobs.stream_info(subjects.JOBS)).state.messages == 0

    await until(queue_is_empty, 20)
    assert len(relay.accepted) == 300


async def test_a_decision_moves_a_doubt(sending: Sending, relay: ScriptedSmtp) -> None:
    """The dot without a reply is in doubt; the operator has one sent again and settles another by hand."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, [*people(2, "gone"), *people(3)])
    sending.start_sender()
    assert await sending.finished(ref) == {"accepted": 3, "in_doubt": 2}
    relay.script = lambda _session, phase: b"250 2.0.0 Ok\r\n" if phase == "dot" else None
    await sending.append(
        subjects.mailing("m1"),
        DoubtDecided(n=0, indexes="0", decision="resend"),
        DoubtDecided(n=0, indexes="1", decision="rejected"),
    )
    await sending.timers.fire(ref.due_retry)

    async def moved() -> bool:
        chunk = await sending.chunk(ref)
        return chunk.totals() == {"accepted": 4, "rejected": 1}

    await until(moved, 20)


async def test_a_resend_in_a_cancelled_mailing_is_cancelled(sending: Sending, relay: ScriptedSmtp) -> None:
    """Nothing goes out after a cancel, and nobody is left pending by a decision."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, [*people(1, "gone"), *people(2)])
    sending.start_sender()
    assert await sending.finished(ref) == {"accepted": 2, "in_doubt": 1}
    await sending.append(subjects.mailing("m1"), MailingCancelled(), DoubtDecided(n=0, indexes="0", decision="resend"))
    await sending.timers.fire(ref.due_retry)

    async def moved() -> bool:
        return (await sending.chunk(ref)).totals() == {"accepted": 2, "cancelled": 1}

    await until(moved, 20)
    assert len(relay.accepted) == 2


async def test_a_relay_that_refuses_the_account_pauses_it_until_it_tests_well(sending: Sending) -> None:
    """5xx at the greeting: the account is paused, no mail is charged; a good test releases it."""

    def refuse(_session: Session, phase: Phase) -> Act | None:
        return Act(b"554 5.7.1 Go away\r\n", then="close") if phase == "greeting" else None

    async with ScriptedSmtp(refuse) as grumpy:
        sending.account, sending.relay_port = "acc2", grumpy.port
        await sending.add_account()
        await sending.start_mailing("m1")
        ref = await sending.plan("m1", 0, people(10))
        sending.start_sender()

        async def paused() -> bool:
            return await sending.log.last_seq(subjects.relay("acc2")) > 0

        await until(paused, 20)
        assert (await sending.chunk(ref)).having(Status.PENDING) == list(range(10))
        grumpy.script = lambda _session, _phase: None
        await sending.append(subjects.account("acc2"), AccountTested(working=True, detail="ok"))
        await sending.timers.fire(ref.due_retry)
        assert await sending.finished(ref) == {"accepted": 10}


async def test_an_outage_of_the_relay_charges_nobody(sending: Sending, relay: ScriptedSmtp) -> None:
    """Connections are refused for a while: lanes rest, and everybody gets the mail afterwards at the first try."""
    await sending.start_mailing("m1")
    port = relay.port
    await relay.stop()
    ref = await sending.plan("m1", 0, people(50))
    sender = sending.start_sender()
    await until(lambda: "lane rests" in sender.log.read_text(), 20)
    await relay.start(port)
    assert await sending.finished(ref) == {"accepted": 50}
    assert set((await sending.chunk(ref)).tries) == {1}


async def test_pausing_is_not_forgotten_by_a_new_sender(sending: Sending, relay: ScriptedSmtp) -> None:
    """A sender that starts later reads the state of the mailing before it works its jobs."""
    await sending.start_mailing("m1")
    await sending.append(subjects.mailing("m1"), MailingPaused())
    ref = await sending.plan("m1", 0, people(10))
    sending.start_sender()
    jobs = sending.log.nc.jetstream()

    async def job_is_gone() -> bool:
        return (await jobs.stream_info(subjects.JOBS)).state.messages == 0

    await until(job_is_gone, 20)
    assert relay.accepted == []
    await asyncio.gather(sending.append(subjects.mailing("m1"), MailingResumed()), sending.timers.fire(ref.due_retry))
    await sending.timers.fire(ref.due_retry)
    assert await sending.finished(ref) == {"accepted": 10}


async def test_a_job_that_fails_by_our_fault_is_parked(sending: Sending) -> None:
    """An event this version does not know: the job comes back twice, then a pointer to its plan is parked."""
    await sending.start_mailing("m1")
    unknown = (
        b'[{"specversion":"1.0","id":"x.0","source":"sender","type":"chunk.blessed/1","subject":"evt.chunk.m1.0",'
        b'"time":"2026-11-22T09:00:00.000Z","data":{}}]'
    )
    stream = sending.log.nc.jetstream()
    await stream.publish(subjects.chunk("m1", 0), unknown, stream=subjects.EVENTS)
    ref = await sending.plan("m1", 0, people(3))
    plan = await sending.log.last_seq(subjects.plan("m1", ref.account, ref.lane, 0))
    sending.start_sender()

    async def pointer() -> dict[str, object] | None:
        if (await stream.stream_info(subjects.PARKED)).state.messages == 0:
            return None
        message = await stream.get_last_msg(subjects.PARKED, subjects.parked("sender", "jobs"))
        assert message.data is not None
        return dict(orjson.loads(message.data))

    parked = await until(pointer, 30)
    assert parked is not None
    assert (parked["stream"], parked["seq"]) == (subjects.EVENTS, plan)
