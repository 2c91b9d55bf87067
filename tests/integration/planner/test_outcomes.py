"""What the planner knows of each mail is what the report says, however the log is cut and whenever it is asked."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience import outcomes
from services.planner.audience.outcome_facts import OutcomeFacts
from services.planner.audience.outcomes import FRESH, RESULTS, SLICE
from services.planner.schema import METADATA
from services.reporting import pages, tables
from services.reporting.rejudging import rejudge
from services.reporting.views import VIEWS
from shared.contracts.commands import RejudgeHits
from shared.contracts.envelope import Commit
from shared.contracts.mailing import DoubtDecided
from shared.contracts.verdicts import RULES, Rules
from shared.database import create_tables
from shared.eventlog.rebuild import table_hash
from tests.harness.databases import Database
from tests.harness.story import START_MS, Story, bounce, complaint, contact, group, hit, reply
from tests.integration.reporting.tales import project, tale

START_S = START_MS // 1000
STRICT = replace(RULES, version=RULES.version + 1, soon=10**9)
"""Rules by which nobody is a person."""
CHUNKS = 2 * SLICE + 5


async def told(
    engine: AsyncEngine,
    commits: Sequence[Commit],
    cuts: Sequence[int] = (),
    ask_at: int = 0,
    rules: Rules = RULES,
) -> None:
    """Take the commits in, cut at some of them, and ask once in the middle and once at the end."""
    view = OutcomeFacts()
    await create_tables(engine, METADATA)
    handled = [c for c in commits if any(r.event.TYPE in view.handles for r in c.events)]
    await project(engine, handled[:ask_at], [cut for cut in cuts if cut < ask_at], [view])
    await outcomes.freshen(engine, rules=rules)
    rest = handled[ask_at:]
    await project(engine, rest, [cut - ask_at for cut in cuts if ask_at < cut < len(handled)], [view])
    await outcomes.freshen(engine, rules=rules)


async def _places(conn: AsyncConnection, mailing: str, column: str) -> set[tuple[int, int]]:
    r = RESULTS.c
    return {
        (n, i) for n, i in await conn.execute(select(r.n, r.idx).where(r.mailing == mailing, r[column].is_not(None)))
    }


async def agreed(planner: AsyncEngine, reporting: AsyncEngine) -> int:
    """Compare what both say of every recipient; return how many opened or clicked."""
    seen = 0
    async with planner.connect() as ours, reporting.connect() as theirs:
        for mailing in ("m1", "m2"):
            rows = (await pages.recipients(theirs, mailing, "", "", 100))["rows"]
            r = RESULTS.c
            mine = (
                await ours.execute(select(r.contact, r.outcome).where(r.mailing == mailing).order_by(r.n, r.idx))
            ).all()
            assert [(row["contact"], row["outcome"]) for row in rows] == [tuple(row) for row in mine]
            for what in ("opened", "clicked"):
                found = (await pages.recipients(theirs, mailing, what, "", 100))["rows"]
                seen += len(found)
                assert await _places(ours, mailing, f"{what}_at") == {(row["n"], row["index"]) for row in found}
        assert await ours.scalar(select(r.contact).where(r.mailing == "t1")) is None
    return seen


@pytest.mark.parametrize("seed", range(4))
async def test_planner_and_report_agree(seed: int, database: Database) -> None:
    """Outcome, opened and clicked of every recipient are what the report has, for random stories."""
    story, chance = tale(seed, steps=200), random.Random(seed)
    planner, reporting = await database.fresh("planner"), await database.fresh("reporting")
    cuts = sorted(chance.sample(range(1, 150), 20))
    await told(planner, story.commits, cuts, ask_at=chance.randrange(20, 150))
    await create_tables(reporting, tables.metadata)
    await project(reporting, story.commits, range(0, 500, 40), VIEWS)
    assert await agreed(planner, reporting)
    await planner.dispose()
    await reporting.dispose()


async def test_new_rules_judge_old_hits_without_being_told(database: Database) -> None:
    """By other rules, then by these, the planner says what the report says once that was judged again."""
    story = tale(2, steps=200)
    planner, reporting = await database.fresh("planner"), await database.fresh("reporting")
    await create_tables(reporting, tables.metadata)
    await project(reporting, story.commits)
    await told(planner, story.commits, rules=STRICT)
    seen = []
    for rules in (STRICT, RULES):
        for mailing in ("m1", "m2"):
            await rejudge(reporting, RejudgeHits(mailing=mailing), rules)
        await outcomes.freshen(planner, rules=rules)
        seen.append(await agreed(planner, reporting))
    assert seen[0] < seen[1]
    await planner.dispose()
    await reporting.dispose()


@pytest.fixture
async def judged(database: Database) -> AsyncIterator[AsyncEngine]:
    """A click in each of many chunks, judged by `STRICT`."""
    story = Story()
    story.started("m1", CHUNKS, chunks=CHUNKS)
    for n in range(CHUNKS):
        story.planned("m1", n, 2)
        story.sent("m1", n, [0, 1])
        story.hit(hit(f"f{n}", "m1", n, 0, link=0, after=60))
    engine = await database.fresh("judged")
    await told(engine, story.commits, rules=STRICT)
    assert await _clicked(engine) == set()
    yield engine
    await engine.dispose()


async def _clicked(engine: AsyncEngine) -> set[int]:
    """Return the chunks with a click of a person; no row is missing ever."""
    async with engine.connect() as conn:
        assert await conn.scalar(select(func.count()).select_from(RESULTS)) == 2 * CHUNKS
        return {n for n, _ in await _places(conn, "m1", "clicked_at")}


async def test_rows_of_rules_that_nobody_noted_are_judged_anew(judged: AsyncEngine) -> None:
    """So an upgrade leaves them."""
    async with judged.begin() as conn:
        await conn.execute(update(FRESH).values(rules=0))
    await outcomes.freshen(judged)
    assert await _clicked(judged) == set(range(CHUNKS))


async def test_hits_are_judged_anew_from_where_it_was_broken_off(judged: AsyncEngine) -> None:
    """What was judged before is not looked at again."""
    async with judged.begin() as conn:
        await conn.execute(update(FRESH).values(rules=RULES.version, mailing="m1", n=SLICE))
    await outcomes.freshen(judged)
    assert await _clicked(judged) == set(range(SLICE + 1, CHUNKS))
    await outcomes.freshen(judged)
    assert await _clicked(judged) == set(range(SLICE + 1, CHUNKS))


async def test_planners_of_two_versions_end_and_the_last_that_is_asked_is_right(judged: AsyncEngine) -> None:
    """Neither waits for the other for ever while an upgrade is under way."""
    both = (outcomes.freshen(judged, rules=rules) for rules in (RULES, STRICT))
    async with asyncio.timeout(60):
        await asyncio.gather(*both)
    await outcomes.freshen(judged)
    assert await _clicked(judged) == set(range(CHUNKS))
    await outcomes.freshen(judged, rules=STRICT)
    assert await _clicked(judged) == set()


@pytest.mark.parametrize("seed", range(3))
async def test_any_batches_give_the_same_rows(seed: int, database: Database) -> None:
    """One by one or all at once, asked in the middle or not, the facts and what is made of them are the same."""
    commits, hashes = tale(seed).commits, set()
    for name, cuts, ask_at in (("one", range(200), 60), ("whole", (), 0)):
        engine = await database.fresh(name)
        await told(engine, commits, list(cuts), ask_at)
        async with engine.connect() as conn:
            hashes.add(await table_hash(conn, [*OutcomeFacts.tables, RESULTS]))
        await engine.dispose()
    assert len(hashes) == 1


async def test_times_and_signs_of_each_recipient(database: Database) -> None:
    """When a mail was settled, opened, clicked, left, came back and was complained about, if that stands."""
    story = Story()
    story.started("m1", 6)
    story.planned("m1", 0, 6)
    story.sent("m1", 0, [0, 1, 2, 3])
    story.sent("m1", 0, [4], "in_doubt")
    story.hit(
        hit("a", "m1", 0, 0, after=60), hit("b", "m1", 0, 0, link=0, after=90), hit("c", "m1", 0, 1, agent="automat")
    )
    story.opted_out("m1", 0, 1)
    story.came_back(bounce("m1", 0, 2))
    story.came_back(complaint("m1", 0, 3))
    story.came_back(complaint("m1", 0, 2))
    story.came_back(complaint("m1", 0, 2, "not-spam"))
    story.came_back(reply("m1", 0, 4))
    engine = await database.fresh("signs")
    await told(engine, story.commits)
    async with engine.connect() as conn:
        rows = {row.contact: row for row in await conn.execute(outcomes.results())}
    assert {who: row.outcome for who, row in rows.items()} == {
        **{contact(0, index): "accepted" for index in range(5)},  # who answers has got it
        contact(0, 5): "pending",
    }
    first = rows[contact(0, 0)]
    assert (first.settled_at, first.opened_at, first.clicked_at) == (START_S, START_S + 120, START_S + 150)
    assert rows[contact(0, 1)].opened_at is None
    assert [who for who, row in rows.items() if row.unsubscribed_at] == [contact(0, 1)]
    assert [who for who, row in rows.items() if row.bounced_at] == [contact(0, 2)]
    assert [who for who, row in rows.items() if row.complained_at] == [contact(0, 3)]
    assert rows[contact(0, 5)].settled_at is None
    await engine.dispose()


async def test_who_had_a_mail_before_it_was_accepted(database: Database) -> None:
    """A scanner, where the relay put it off; perhaps a person, where it was in doubt, whatever followed."""
    story = Story()
    story.started("m1", 4)
    story.planned("m1", 0, 4)
    story.sent("m1", 0, [0], "deferred")
    story.sent("m1", 0, [1, 2, 3], "in_doubt")
    story.hit(*(hit(f"f{index}", "m1", 0, index, link=0, after=-1_860) for index in range(4)))
    story.mailing("m1", DoubtDecided(n=0, indexes="1", decision="accepted"))
    story.settled("m1", 0, group("accepted", [1], at=[], cause="c9.0"))
    story.mailing("m1", DoubtDecided(n=0, indexes="2", decision="resend"))
    story.sent("m1", 0, [0, 2])
    engine = await database.fresh("before")
    await told(engine, story.commits)
    async with engine.connect() as conn:
        assert await _places(conn, "m1", "clicked_at") == {(0, 1), (0, 2), (0, 3)}
        rows = (await conn.execute(outcomes.results())).all()
    assert [row.outcome for row in rows] == ["accepted"] * 4
    await engine.dispose()


async def test_a_decision_is_known(database: Database) -> None:
    """What an operator decides on a doubt is what became of the mail."""
    story = Story()
    story.started("m1", 2)
    story.planned("m1", 0, 2)
    story.settled("m1", 0, group("in_doubt", [0, 1]))
    story.mailing("m1", DoubtDecided(n=0, indexes="1", decision="rejected"))
    engine = await database.fresh("decided")
    await told(engine, story.commits, ask_at=2)
    async with engine.connect() as conn:
        rows = (await conn.execute(outcomes.results())).all()
    assert [row.outcome for row in rows] == ["in_doubt", "rejected"]
    await engine.dispose()
