"""A relay that says what it thinks of us: who is slowed, suspended or held for it, that it ends, and who goes on."""

from collections import Counter
from datetime import timedelta

import pytest

from shared.clock import now
from shared.contracts import subjects
from shared.contracts.account import AccountTested
from shared.contracts.envelope import DomainEvent
from shared.contracts.relay import (
    AccountPaused,
    AccountReleased,
    ProviderReleased,
    ProviderSlowed,
    ProviderSuspended,
)
from shared.contracts.sending import RecipientsSettled
from tests.harness.sending import Sending
from tests.harness.smtp import Act, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until

QUICK = """
[[rule]]
name = "quota"
kinds = ["quota"]
action = "rest"
seconds = 2

[[rule]]
name = "too-fast"
codes = ["421"]
words = "unusual rate"
action = "slow"
times = 3
within = 60
seconds = 0.5
per_hour = 36000
"""


def _rules(sending: Sending) -> None:
    path = sending.folder / "rules.toml"
    path.write_text(QUICK)
    sending.environment["POSTHASTE_SHAPING_RULES"] = str(path)


async def _told(sending: Sending) -> list[DomainEvent]:
    commits = await sending.log.load(subjects.relay(sending.account))
    return [record.event for commit in commits for record in commit.events]


async def _settled(sending: Sending, subject: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for commit in await sending.log.load(subject):
        for record in commit.events:
            if isinstance(record.event, RecipientsSettled):
                counts.update(group.outcome for group in record.event.groups)
    return counts


async def test_a_relay_that_lists_us_pauses_the_account_and_rejects_nobody(
    sending: Sending, relay: ScriptedSmtp
) -> None:
    """Row 15: mails are held, the account pauses with the words of the relay; after a good test all go out."""
    listed = True

    def script(_session: Session, phase: Phase) -> bytes | None:
        if phase == "rcpt" and listed:
            return b"554 5.7.1 Service unavailable; Client host blocked using zen.spamhaus.org\r\n"
        return None

    relay.script = script
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, [f"a{i}@example.com" for i in range(30)])
    sending.start_sender()

    async def paused() -> AccountPaused | None:
        return next((event for event in await _told(sending) if isinstance(event, AccountPaused)), None)

    told = await until(paused, 20)
    assert told is not None
    assert "blocked using zen.spamhaus.org" in told.reason
    assert "listed" in told.reason
    listed = False
    tested = await sending.append(subjects.account(sending.account), AccountTested(working=True, detail="ok"))
    await sending.timers.fire(ref.due_retry)  # the planner does that when it reads the release
    assert await sending.finished(ref, timeout=30) == {"accepted": 30}
    assert tested
    assert isinstance((await _told(sending))[-1], AccountReleased)
    assert (await _settled(sending, subjects.chunk("m1", 0))).keys() <= {"deferred", "released", "accepted"}


async def test_a_quota_suspends_the_account_until_it_begins_anew(sending: Sending, relay: ScriptedSmtp) -> None:
    """Row 11: nothing is tried meanwhile, nobody is bounced, and all goes on by itself."""
    left = 10

    def script(_session: Session, phase: Phase) -> bytes | None:
        nonlocal left
        if phase == "dot":
            left -= 1
        return b"550 5.4.6 sending quota exceeded, try again in 3 seconds\r\n" if phase == "rcpt" and left < 1 else None

    relay.script = script
    sending.connections = 1
    _rules(sending)
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, [f"a{i}@example.com" for i in range(60)])
    sending.start_sender()

    async def suspended() -> ProviderSuspended | None:
        return next((event for event in await _told(sending) if isinstance(event, ProviderSuspended)), None)

    told = await until(suspended, 20)
    assert told is not None
    assert told.provider == ""
    left = 1000
    assert await sending.finished(ref, timeout=30) == {"accepted": 60}
    begins, ends = told.since.timestamp() + 1, told.until.timestamp() - 0.1
    assert ends - begins > 1.5
    assert [at for at, _ in relay.mails if begins < at < ends] == []

    async def released() -> list[tuple[str, str]]:  # told within moments of the end, maybe after the last mail
        return [(event.provider, event.what) for event in await _told(sending) if isinstance(event, ProviderReleased)]

    assert await until(released, 20) == [("", "suspended")]


@pytest.mark.feature("B5")
async def test_a_provider_that_throttles_is_slowed_and_the_others_are_not(
    sending: Sending, relay: ScriptedSmtp
) -> None:
    """Row 38: 421s of one provider lower its rate; it recovers; in the same chunk the others are done long before."""
    seen: Counter[str] = Counter()

    def script(session: Session, phase: Phase) -> Act | None:
        if phase != "rcpt" or not session.recipient.endswith("@gmail.com"):
            return None
        seen["tries"] += 1
        if seen["tries"] % 5 == 0 and seen["tries"] <= 100:
            return Act(b"421 4.7.28 unusual rate of mail\r\n", then="close")
        return None

    relay.script = script
    _rules(sending)
    await sending.start_mailing("m1")
    mixed = [f"a{i}@{'gmail.com' if i % 2 else 'example.com'}" for i in range(400)]
    ref = await sending.plan("m1", 0, mixed)
    sending.start_sender()
    assert await sending.finished(ref, timeout=60) == {"accepted": 400}
    assert seen["tries"] <= 200 + 20 + 20

    async def over() -> bool:
        return any(isinstance(event, ProviderReleased) for event in await _told(sending))

    await until(over, 30)
    told = await _told(sending)
    slowed = [event for event in told if isinstance(event, ProviderSlowed)]
    assert slowed
    assert {event.provider for event in slowed} == {"gmail"}
    assert all(event.per_hour >= 36_000 for event in slowed)


@pytest.mark.feature("B3")
async def test_all_deferred_once_is_all_accepted_later(sending: Sending, relay: ScriptedSmtp) -> None:
    """All 451, then recovery: each is tried again, none is lost, none doubled."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, [f"greylist-{i}@example.com" for i in range(100)])
    sending.start_sender()
    assert await sending.finished(ref, timeout=40) == {"accepted": 100}
    assert len(relay.accepted) == 100
    state = await sending.chunk(ref)
    assert set(state.tries) == {2}


async def test_what_is_deferred_beyond_the_deadline_expires_at_it(sending: Sending, relay: ScriptedSmtp) -> None:
    """Row 40: the outcome is expired, at the deadline, and nothing is sent after it."""
    sending.environment |= {"POSTHASTE_RETRY_FIRST": "600", "POSTHASTE_RETRY_LONGEST": "900"}
    await sending.start_mailing("m1")
    sending.start_sender()
    await sending.finished(await sending.plan("m1", 0, ["warm-up@example.com"]))
    deadline = now() + timedelta(seconds=6)
    ref = await sending.plan("m1", 1, [f"greylist-{i}@example.com" for i in range(5)], expires_at=deadline)
    await until(lambda: sending.passed(ref), 6)
    assert (await sending.chunk(ref)).next_try == deadline.replace(microsecond=deadline.microsecond // 1000 * 1000)
    assert await sending.finished(ref, timeout=20) == {"expired": 5}
    assert now() >= deadline
    assert len(relay.accepted) == 1
    assert len(relay.mails) == 6


async def test_a_relay_that_is_down_charges_nobody_and_is_knocked_at_by_one(
    sending: Sending, relay: ScriptedSmtp
) -> None:
    """Row 1: while it is down one connection at a time tries; when it is back everything goes out at the first try."""
    await relay.stop()
    await sending.start_mailing("m1")
    refs = [await sending.plan("m1", n, [f"a{n}-{i}@example.com" for i in range(10)]) for n in range(8)]
    sender = sending.start_sender()
    await until(lambda: sender.log.read_bytes().count(b"lane rests") >= 2, 20)
    back = await ScriptedSmtp().start(relay.port)
    try:
        assert await sending.finished(*refs, timeout=40) == {"accepted": 80}
        assert len(back.accepted) == 80
        assert {tries for ref in refs for tries in (await sending.chunk(ref)).tries} == {1}
    finally:
        await back.stop()
