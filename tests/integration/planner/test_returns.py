"""What came back reaches consent: proven bounces and complaints close addresses, once, whatever comes twice."""

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.consent import AddressSuppressed, OptedOut, SuppressionLifted
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.feedback import BounceReceived, ComplaintReceived, ReplyReceived
from shared.contracts.mailing import MailingPaused
from shared.ids import new_id
from shared.keys import KeyRing
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk
from tests.integration.planner.test_running import sending

KEYS = KeyRing.of("s" * 32, "p" * 32)
GONE = {"kind": "bounce", "reason": "user-unknown", "scope": "address", "permanent": True, "standard": True}
FULL = {"kind": "bounce", "reason": "mailbox-full", "scope": "address", "standard": True}


def _event(mailing: str, index: int, told: dict[str, object], proven: str = "return-path") -> BounceReceived:
    by = {"source": "file", "proven": proven, "mailing": mailing, "n": 0, "index": index}
    return BounceReceived.model_validate(by | told)


def _complaint(mailing: str, index: int, kind: str) -> ComplaintReceived:
    return ComplaintReceived(source="file", proven="message-id", mailing=mailing, n=0, index=index, feedback_type=kind)


async def _came(desk: Desk, event: DomainEvent, command_id: str = "") -> None:
    origin = Origin(command_id or new_id(20), "tracker", clock.now())
    await desk.log.append_journal(subjects.feedback(3), [event], origin=origin)


async def _acts(desk: Desk) -> list[DomainEvent]:
    return [
        record.event
        async for commits in desk.log.scan([subjects.ALL_CONSENT])
        for commit in commits
        for record in commit.events
    ]


async def _acted(desk: Desk, count: int) -> list[DomainEvent]:
    async def enough() -> list[DomainEvent]:
        found = await _acts(desk)
        return found if len(found) >= count else []

    return await until(enough, 15)


async def test_what_comes_back_closes_addresses(desk: Desk) -> None:
    """Bounce, complaint, its taking back, an opt-out by the provider; nothing where it is forged, once if repeated."""
    mailing = await sending(desk, 30)
    await desk.planned(mailing, 1)
    rows = (await desk.ask(commands.Audience(mailing=mailing)))["rows"]
    keys = {row["index"]: KEYS.address_key(row["address"]) for row in rows}
    await _came(desk, _event(mailing, 0, GONE, proven=""))
    await _came(desk, _event(mailing, 999, GONE))
    for command_id in ("bounce", "bounce", "another"):
        await _came(desk, _event(mailing, 1, GONE), command_id)
    acts = await _acted(desk, 1)
    await _came(desk, _complaint(mailing, 2, "abuse"))
    await _acted(desk, 2)
    await _came(desk, _complaint(mailing, 2, "not-spam"))
    await _acted(desk, 3)
    await _came(desk, _complaint(mailing, 3, "opt-out"))
    acts = await _acted(desk, 4)
    lists = (await desk.ask(commands.Lists()))["lists"]
    assert acts == [
        AddressSuppressed(
            address_key=keys[1], scope="*", reason="user-unknown", source="file", mailing=mailing, n=0, index=1
        ),
        AddressSuppressed(
            address_key=keys[2], scope="*", reason="complaint", source="file", mailing=mailing, n=0, index=2
        ),
        SuppressionLifted(address_key=keys[2], scope="*", reason="not-spam"),
        OptedOut(address_key=keys[3], scope=lists[0]["id"], how="mailto", mailing=mailing, n=0, index=3),
    ]
    await desk.down()
    await desk.up()
    await _came(desk, _complaint(mailing, 4, "abuse"))
    acts = await _acted(desk, 5)
    assert len(acts) == 5, "a new start works from its mark on"
    skipped = await _left_out(desk)
    assert skipped == 3


async def _left_out(desk: Desk) -> int:
    """Return how many a new mailing leaves out because they are suppressed or opted out."""
    mailing = await desk.drafted()
    frozen = await desk.do(commands.FreezeAudience(mailing=mailing))
    return sum(frozen["skipped"].values())


async def test_bounces_that_pass_are_counted_mailing_by_mailing(desk: Desk) -> None:
    """Two of one mailing are one; a sign of life begins anew; the third mailing after it closes the address."""
    mailings = [await sending(desk, 5)]
    for _ in range(3):
        mailing = await desk.drafted()
        await desk.do(commands.FreezeAudience(mailing=mailing))
        await desk.do(commands.ScheduleMailing(mailing=mailing))
        mailings.append(mailing)
    for mailing in mailings:
        await desk.planned(mailing, 1)
    rows = (await desk.ask(commands.Audience(mailing=mailings[0])))["rows"]
    who = {row["index"]: row["address"] for row in rows}
    by_mailing = {}
    for mailing in mailings:
        rows = (await desk.ask(commands.Audience(mailing=mailing)))["rows"]
        by_mailing[mailing] = next(row["index"] for row in rows if row["address"] == who[0])
    first, second, third, fourth = mailings
    for mailing in (first, first, second):
        await _came(desk, _event(mailing, by_mailing[mailing], FULL))
    reply = ReplyReceived(source="file", proven="message-id", mailing=second, n=0, index=by_mailing[second])
    await _came(desk, reply)
    for mailing in (second, third):
        await _came(desk, _event(mailing, by_mailing[mailing], FULL))
    await desk.facts_seen(subjects.feedback(3))
    assert await _acts(desk) == []
    await _came(desk, _event(fourth, by_mailing[fourth], FULL))
    (act,) = await _acted(desk, 1)
    assert isinstance(act, AddressSuppressed)
    assert act.reason == "soft-bounces"


async def test_late_bounces_stop_a_mailing(desk: Desk) -> None:
    """What relays accepted and what bounced afterwards: a share above the threshold pauses what still goes out."""
    mailing = await sending(desk, 60, limits={"per_hour": 600}, stop={"after": 10, "bounces": 0.2})
    chunks = await desk.planned(mailing, 2)
    await desk.finish(chunks[0])
    await desk.facts_seen(subjects.chunk(mailing, 0))
    for index in (0, 1, 1):
        await _came(desk, _event(mailing, index, GONE))
    await _acted(desk, 2)
    assert "MailingPaused" not in await desk.types(mailing)
    await _came(desk, _event(mailing, 2, GONE))
    await desk.happened(mailing, "MailingPaused")
    paused = [event for event in await desk.events(subjects.mailing(mailing)) if isinstance(event, MailingPaused)]
    assert paused[0].reason.startswith("stopped by itself: 3 of 10 mails")
