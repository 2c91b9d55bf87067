"""Verdicts in the tables: they follow what becomes known later, and new rules judge old hits."""

from dataclasses import replace

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import pages, queries
from services.reporting.rejudging import rejudge
from services.reporting.views.engagement import EngagementView
from shared.contracts.commands import RejudgeHits
from shared.contracts.verdicts import RULES
from shared.database import reading
from shared.eventlog.rebuild import table_hash
from tests.harness.story import Story, group, hit
from tests.integration.reporting.tales import project, tale


async def told(engine: AsyncEngine, story: Story, since: int = 0) -> queries.Data:
    """Project the story from there on and return the status."""
    await project(engine, story.commits[since:])
    async with reading(engine).connect() as conn:
        found = await queries.status(conn, "m1", story.now.timestamp())
    assert found is not None
    return found


def begun(size: int = 10) -> Story:
    """Return a mailing of one chunk that is planned."""
    story = Story()
    story.started("m1", size)
    story.planned("m1", 0, size)
    return story


async def test_a_burst_takes_back_what_was_counted(engine: AsyncEngine) -> None:
    """Two clicks are a person's until the third comes, in another batch."""
    story = begun()
    story.sent("m1", 0, [0, 1])
    story.hit(hit("a", "m1", 0, 0, link=0), hit("b", "m1", 0, 0, link=1, after=1), hit("x", "m1", 0, 1, link=1))
    found = await told(engine, story)
    assert (found["clicks"], found["clicked"]) == (3, 2)
    since = len(story.commits)
    story.hit(hit("c", "m1", 0, 0, link=2, after=2))
    found = await told(engine, story, since)
    assert (found["clicks"], found["clicked"], found["clicks_by"]["machine"]) == (1, 1, 3)
    async with reading(engine).connect() as conn:
        rows = (await pages.recipients(conn, "m1", "machines", "", 10))["rows"]
    assert [(row["index"], row["clicks"], row["machines"]) for row in rows] == [(0, 0, {"burst": 3})]


async def test_a_click_before_its_acceptance_is_recorded_is_judged_by_it(engine: AsyncEngine) -> None:
    """The scanner is faster than the sender's append."""
    story = begun()
    story.hit(hit("a", "m1", 0, 0, link=0, after=-59.5))
    assert (await told(engine, story))["clicked"] == 1
    since = len(story.commits)
    story.settled("m1", 0, group("accepted", [0]))
    found = await told(engine, story, since)
    assert (found["clicked"], found["clicks_by"]["machine"]) == (0, 1)


async def test_who_scans_a_mail_that_is_put_off_is_no_person(engine: AsyncEngine) -> None:
    """Half an hour before the relay accepted it, nobody had it."""
    story = begun()
    story.sent("m1", 0, [0], "deferred")
    story.hit(hit("a", "m1", 0, 0, link=0, after=-1_860), hit("b", "m1", 0, 0, after=-1_859))
    story.sent("m1", 0, [0])
    story.hit(hit("c", "m1", 0, 0, link=0, after=600))
    found = await told(engine, story)
    assert (found["clicks"], found["clicks_by"]["machine"], found["opens_by"]["machine"]) == (1, 1, 1)


@pytest.mark.parametrize("decision", ["accepted", "resend"])
async def test_a_mail_that_was_in_doubt_may_have_been_read_before(engine: AsyncEngine, decision: str) -> None:
    """What was decided on it, or that it was accepted once more, says nothing of when the person got it."""
    story = begun()
    story.sent("m1", 0, [0], "in_doubt")
    story.hit(hit("a", "m1", 0, 0, link=0, after=-1_860))
    if decision == "accepted":
        story.settled("m1", 0, group("accepted", [0], at=[], cause="c9.0"))
    else:
        story.sent("m1", 0, [0])
    found = await told(engine, story)
    assert (found["clicked"], found["clicks_by"]["machine"]) == (1, 0)


async def test_a_crowd_is_seen_across_recipients_and_batches(engine: AsyncEngine) -> None:
    """Seven in a second may be people; with the eighth all of them are not."""
    story = begun()
    story.sent("m1", 0, range(10))
    for index in range(7):
        story.hit(hit(f"f{index}", "m1", 0, index, link=0, network="8.8.8.0/24"))
    assert (await told(engine, story))["clicked"] == 7
    since = len(story.commits)
    story.hit(hit("f7", "m1", 0, 7, link=0, network="8.8.8.0/24"))
    found = await told(engine, story, since)
    assert (found["clicked"], found["clicks_by"]["machine"], found["clicks"]) == (0, 8, 0)


async def test_hits_that_name_nobody_are_counted_without_people(engine: AsyncEngine) -> None:
    """Each by itself, and each once."""
    story = begun()
    story.hit(hit("a", "m1", -1, -1), hit("b", "m1", -1, -1), hit("c", "m1", -1, -1, agent="automat"))
    story.hit(hit("b", "m1", -1, -1))
    found = await told(engine, story)
    assert (found["read"], found["opened"], found["opens_by"]["machine"]) == (2, 0, 1)


async def test_more_hits_than_anybody_has_are_left_to_the_log(engine: AsyncEngine) -> None:
    """A link that is asked for without end stays bounded here."""
    story = begun()
    story.hit(*(hit(f"f{number}", "m1", 0, 0, after=number) for number in range(RULES.most + 50)))
    assert (await told(engine, story))["read"] == RULES.most


@pytest.mark.feature("B9")
async def test_new_rules_judge_old_hits_page_by_page(engine: AsyncEngine) -> None:
    """Twice is as good as once, and the way back leads to the same tables."""
    story = tale(3, steps=300)
    await project(engine, story.commits)
    async with reading(engine).connect() as conn:
        before = await table_hash(conn, EngagementView.tables)
        found = await queries.status(conn, "m1", 0)
    assert found is not None
    strict = replace(RULES, version=RULES.version + 1, soon=10**9)
    for rules, expected in ((strict, 0), (strict, 0), (RULES, found["clicked"])):
        after = ""
        while True:
            answer = await rejudge(engine, RejudgeHits(mailing="m1", after=after), rules, page=3)
            assert answer is not None
            if not (after := answer["next"]):
                break
        async with reading(engine).connect() as conn:
            status = await queries.status(conn, "m1", 0)
        assert status is not None
        assert status["rules"] == rules.version
        assert status["clicked"] <= found["clicked"] if rules is strict else status["clicked"] == expected
    async with reading(engine).connect() as conn:
        assert await table_hash(conn, EngagementView.tables) == before
    assert await rejudge(engine, RejudgeHits(mailing="nope")) is None
