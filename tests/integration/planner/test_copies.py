"""Blind copies are planned once for each finished chunk, of those whose mail was accepted, whatever happens between."""

import orjson
import pytest

from shared.contracts import commands, subjects
from shared.contracts.ranges import pack
from shared.contracts.sending import ChunkFinished, ChunkPassed, ChunkPlanned, ChunkStarted, Group, RecipientsSettled
from shared.eventlog.documents import Documents
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

ARCHIVE = "archive@example.org"
PEOPLE = b"email,name\n" + b"".join(b"p%d@example.com,P%d\n" % (n, n) for n in range(6))


async def _started(desk: Desk) -> tuple[str, ChunkPlanned]:
    await desk.imported(PEOPLE)
    mailing = await desk.drafted(blind_copy=ARCHIVE)
    assert (await desk.ask(commands.Draft(mailing=mailing)))["blind_copy"] == ARCHIVE
    await desk.do(commands.FreezeAudience(mailing=mailing))
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    (chunk,) = await desk.planned(mailing, 1)
    return mailing, chunk


async def _finish(desk: Desk, chunk: ChunkPlanned) -> None:
    """Have four accepted, one refused, one in doubt."""
    groups = [
        Group(outcome="accepted", indexes=pack([0, 2, 3, 5]), code=250),
        Group(outcome="rejected", indexes="1", code=550, scope="address"),
        Group(outcome="in_doubt", indexes="4"),
    ]
    ended = ChunkFinished(totals={"accepted": 4, "rejected": 1, "in_doubt": 1})
    events = (ChunkStarted(job=1, worker="w"), RecipientsSettled(groups=groups), ChunkPassed(deferred=0), ended)
    await desk.write(subjects.chunk(chunk.mailing, chunk.n), *events)


@pytest.mark.feature("M2")
async def test_a_finished_chunk_is_copied_once(desk: Desk) -> None:
    """The accepted ones, addressed to the archive and showing the customer; a new start plans no second."""
    mailing, chunk = await _started(desk)
    assert chunk.copied
    await _finish(desk, chunk)
    copies = subjects.copies_of(mailing)
    (plan,) = await desk.planned(copies, 1)
    assert (plan.kind, plan.lane, plan.account, plan.tracking) == ("copy", subjects.REST, chunk.account, "off")
    assert plan.contacts == [chunk.contacts[index] for index in (0, 2, 3, 5)]
    payload = await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(copies, plan.n))
    rows = [orjson.loads(line) for line in payload.split(b"\n")]
    assert {row["address"] for row in rows} == {ARCHIVE}
    assert len({row["shown"] for row in rows}) == 4
    await desk.facts_seen(subjects.plan(copies, plan.account, plan.lane, plan.n))
    await desk.down()
    await desk.up()
    other, chunk = await _started(desk)
    await _finish(desk, chunk)
    await desk.planned(subjects.copies_of(other), 1)
    assert len(await desk.plans(copies)) == 1


async def test_where_no_mail_may_go_there_are_no_copies(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    """The archive is an address like every other; the mailing goes its way."""
    await desk.do(commands.OptOut(address=ARCHIVE))
    mailing, chunk = await _started(desk)
    await _finish(desk, chunk)
    await desk.happened(mailing, "MailingCompleted")
    await until(lambda: "no mail may go to the address of the copies" in caplog.text)
    assert await desk.plans(subjects.copies_of(mailing)) == []
