"""The planner dies at a step of what it does by itself, while all others are at work; it is done once all the same.

One installation has all of it: a recurring mailing with an A/B test, blind copies and statuses of customers, and one
that is run dry, approved and sent. Held against each other are the relay, the log, the ledger and what a CRM hears.
"""

from collections import Counter
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.sending import ChunkPlanned
from shared.contracts.series import OccurrenceMade, OccurrenceSkipped, SeriesEdited, SeriesOpened
from shared.contracts.statuses import StatusesSet
from shared.eventlog.connection import close
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.messaging.client import Client
from shared.steps import PLANNER_ITSELF
from tests.harness.installations import Installation, operated
from tests.harness.smtp import ScriptedSmtp
from tests.harness.system import ANSWER, LETTER, PATIENCE, System, people, unhurried
from tests.harness.toll import strike
from tests.harness.waiting import until

READERS = people(60)
MEMBERS = [f"member{place}@m.example" for place in range(30)]
SAMPLE, CHUNK = 20, 10
ARCHIVE = "archive@shop.example"
LATER = {"copy.payload": 2, "copy.planned": 2, "copy.noted": 2, "dry_run.chunk": 2}
"""The how manieth time it comes there, where that is not the first."""


@pytest.mark.drawn("system", 3)
@pytest.mark.parametrize("step", PLANNER_ITSELF)
async def test_what_it_does_by_itself_is_done_once(step: str, tmp_path: Path) -> None:
    """Nobody is lost, mailed twice, copied twice or given a status twice, and the CRM hears of each once."""
    async with ScriptedSmtp(unhurried(0.01)) as relay:
        local = Installation(tmp_path / "data", extra={"POSTHASTE_CHUNK_SIZE": str(CHUNK)})
        async with operated(local.dies("planner", f"{step}:{LATER.get(step, 1)}"), relay) as system:
            nc = await local.connect("deploy")
            await nc.jetstream().add_consumer(subjects.OUT, durable_name="crm")  # the feed is made for who reads it
            await system.add_account()
            await system.bring_in(READERS)
            await system.bring_in(MEMBERS, "members")
            approved, run = await _approved(system)
            series, made = await _came_round(system)
            strike()
            for mailing in (approved, made):
                await system.ended(mailing)
            await until(lambda: len(_copies(relay)) >= len(READERS), PATIENCE)
            await _nobody_new(system, series)
            accounts = [await system.account_for(mailing, doubts=0) for mailing in (approved, made)]
            heard = await _heard(Reader(nc, subjects.OUT), {approved: len(MEMBERS), made: len(READERS)})
            assert local.programs["planner"].starts == 2, f"it never came to {step}"
            await _each_once(system, approved, made, series)
            await _erased(local, run)
            await close(nc)
    assert [account.totals for account in accounts] == [{"accepted": len(MEMBERS)}, {"accepted": len(READERS)}]
    assert Counter(mail.recipient for mail in relay.accepted) == {
        **dict.fromkeys([*READERS, *MEMBERS], 1),
        ARCHIVE: len(READERS),
    }
    assert len(set(_copies(relay))) == len(READERS)
    assert set(heard.values()) == {1}


async def _approved(system: System) -> tuple[str, str]:
    """Have somebody make a mailing, look at all its mails, and somebody else approve of it; return it and the run."""
    nc = await system.local.connect("producer")
    maker = System(system.local, system.relay, system.connections)
    maker.log, maker._asker = system.log, Client(nc, "producer", seconds=ANSWER)
    opened = await system.do(commands.OpenCampaign(name="Looked at", lists=["members"], approval=True))
    wanted = LETTER | opened | {"account": system.account}
    mailing = str((await maker.do(commands.DraftMailing.model_validate(wanted)))["mailing"])
    await maker.do(commands.FreezeAudience(mailing=mailing))
    await maker.do(commands.ScheduleMailing(mailing=mailing))
    await close(nc)
    run = str((await system.do(commands.StartDryRun(mailing=mailing)))["run"])

    async def done() -> dict[str, Any]:
        shown = await system.ask(commands.DryRunStatus(mailing=mailing))
        return shown if shown["state"] != "running" else {}

    shown = await until(done, PATIENCE)
    assert (shown["state"], shown["run"], shown["mails"], shown["current"]) == ("done", run, len(MEMBERS), True)
    assert not [mail for mail in system.relay.accepted if mail.recipient in MEMBERS]
    await system.do(commands.ApproveMailing(mailing=mailing, plan=shown["forecast"]["plan"]))
    return mailing, run


async def _came_round(system: System) -> tuple[str, str]:
    """Have a mailing with everything come round; return its series and itself."""
    statuses = {"sent": "Written to"}
    opened = await system.do(
        commands.OpenCampaign.model_validate({"name": "News", "lists": ["readers"], "statuses": statuses})
    )
    tried = {"versions": {"b": {"subject": "Look"}}, "recipients": SAMPLE, "wait_minutes": 0.01}
    draft = LETTER | opened | {"account": system.account, "ab_test": tried, "blind_copy": ARCHIVE}
    later = clock.now() + timedelta(hours=2)
    wanted = {"draft": draft, "rhythm": _daily(later), "only_new": True, "sources": {}}
    series = str((await system.do(commands.OpenSeries.model_validate(wanted)))["series"])
    await _comes(system, series)
    made = await _became(system, series, 0)
    assert isinstance(made, OccurrenceMade)
    return series, made.mailing


async def _nobody_new(system: System, series: str) -> None:
    """Let it come round once more: everybody was in the audience before."""
    await _comes(system, series)
    skipped = await _became(system, series, 1)
    assert isinstance(skipped, OccurrenceSkipped)
    assert skipped.reason == "nobody_new"


async def _comes(system: System, series: str) -> None:
    """Let it come round now, and be so for an hour: it is this time, however late a planner that died reads of it."""
    (opened, *_) = await _events(system, subjects.series(series))
    assert isinstance(opened, SeriesOpened)
    now = clock.now()
    changes = {"rhythm": _daily(now), "since": now - timedelta(hours=1)}
    nc = await system.local.connect("planner")
    log = EventLog(nc)
    subject = subjects.series(series)
    edited = SeriesEdited.model_validate(opened.model_dump() | changes)
    await log.append(subject, [edited], expected=await log.last_seq(subject), origin=Origin(new_id(), "test", now))
    await close(nc)


def _daily(at: datetime) -> dict[str, Any]:
    return {"every": "day", "at": at.time().isoformat(), "zone": "UTC"}


async def _became(system: System, series: str, place: int) -> OccurrenceMade | OccurrenceSkipped:
    """Wait until something became of its first or second time."""

    async def there() -> list[OccurrenceMade | OccurrenceSkipped]:
        told = [
            event
            for event in await _events(system, subjects.series(series))
            if isinstance(event, OccurrenceMade | OccurrenceSkipped)
        ]
        return told[place:]

    return (await until(there, PATIENCE))[0]


async def _events(system: System, *filters: str) -> list[DomainEvent]:
    return [
        record.event async for commits in system.log.scan(filters) for commit in commits for record in commit.events
    ]


async def _each_once(system: System, approved: str, made: str, series: str) -> None:
    """Assert that the log has each of it once."""
    for mailing, wanted in {
        approved: ("MailingDrafted", "DryRunFinished", "MailingApproved", "SendingStarted", "MailingCompleted"),
        made: ("MailingDrafted", "AudienceFrozen", "MailingScheduled", "SampleSent", "WinnerChosen"),
    }.items():
        types = Counter(type(event).__name__ for event in await _events(system, subjects.mailing(mailing)))
        assert {name: types[name] for name in wanted} == dict.fromkeys(wanted, 1)
    everything = Counter(type(event).__name__ for event in await _events(system, subjects.ALL_MAILINGS))
    assert (everything["MailingDrafted"], everything["MailingDeleted"]) == (3, 1)
    told = [type(event).__name__ for event in await _events(system, subjects.series(series))]
    assert told == ["SeriesOpened", "SeriesEdited", "OccurrenceMade", "SeriesEdited", "OccurrenceSkipped"]
    plans = await _events(system, subjects.plans_of(subjects.copies_of(made)))
    copied = Counter(contact for plan in plans if isinstance(plan, ChunkPlanned) for contact in plan.contacts)
    statuses = await _events(system, subjects.ALL_STATUSES)
    moved = Counter(contact for each in statuses if isinstance(each, StatusesSet) for contact in each.contacts)
    assert [len(copied), len(moved)] == [len(READERS)] * 2
    assert {*copied.values(), *moved.values()} == {1}


async def _erased(local: Installation, run: str) -> None:
    """Assert that nothing is left of what the dry run kept."""
    nc = await local.connect("planner")
    payloads = Documents(nc, subjects.PAYLOADS)
    for n in range(len(MEMBERS) // CHUNK):
        with pytest.raises(MissingError):
            await payloads.get(subjects.payload(run, n))
    await close(nc)


async def _heard(out: Reader, mailings: dict[str, int]) -> Counter[tuple[str, str]]:
    """Return how often a CRM heard of each outcome and each status, once it heard of all."""

    async def heard() -> Counter[tuple[str, str]] | None:
        told: Counter[tuple[str, str]] = Counter()
        for mailing in mailings:
            for stored in await out.batch(subjects.out_recipient(mailing), 1, 10_000):
                rows = orjson.loads(stored.data)["data"]["recipients"]
                told.update((mailing, row["contact"]) for row in rows if row["outcome"] == "accepted")
        for stored in await out.batch(subjects.OUT_STATUSES, 1, 10_000):
            told.update(("status", row["contact"]) for row in orjson.loads(stored.data)["data"]["customers"])
        return told if len(told) >= sum(mailings.values()) + len(READERS) else None

    found = await until(heard, PATIENCE)
    assert found is not None
    return found


def _copies(relay: ScriptedSmtp) -> list[str]:
    return [mail.message_id for mail in relay.accepted if mail.recipient == ARCHIVE]
