"""The guard of the planner, case by case: who notices what, that everything is held, and what a confirmation does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.board import MARKS
from services.planner.facts import Facts
from services.planner.guard import Guard
from services.planner.idempotency import Act
from services.planner.intake.imports import IMPORTS
from services.planner.mailings.mailing import Mailing, MailingDecider
from services.planner.memories import Memories
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.log import RESTORED
from shared.contracts.mailing import MailingCancelled, MailingScheduled, SendingStarted
from shared.database import open_engine
from shared.eventlog import checkpoints
from shared.eventlog.checkpoints import Checkpoint
from shared.eventlog.incarnation import Memory, identify, remember
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.migrations import migrate
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending


@dataclass
class World:
    """A log with a mailing that is sending, and the planner's database."""

    rig: Sending
    engine: AsyncEngine

    @property
    def log(self) -> EventLog:
        """The log."""
        return self.rig.log

    def guard(self) -> Guard:
        """Return the guard of a planner that starts now."""
        return Guard(self.log, Memories(self.engine), Bucket(self.rig.nc, subjects.WITNESS))

    async def at(self, seq: int, event_id: str = "") -> None:
        """Let the facts have come so far."""
        async with self.engine.begin() as conn:
            await checkpoints.put(conn, Checkpoint(Facts.name, Facts.version, seq, event_id))

    async def imports(self) -> None:
        """Know one more import."""
        row = {"upload": new_id(), "list": "l", "wanted": "{}", "principal": "p", "state": "done"}
        async with self.engine.begin() as conn:
            await conn.execute(insert(IMPORTS).values(row))

    async def mailing(self, mailing: str = "m1") -> Mailing:
        """Return the mailing as the log has it."""
        decider = MailingDecider()
        state = decider.initial()
        for commit in await self.log.load(subjects.mailing(mailing)):
            for record in commit.events:
                state = decider.evolve(state, record.event)
        return state

    async def agreed(self) -> Memory:
        """Let a planner see the log, with the facts at its end, and stop; return what it saw."""
        end = await remember(self.log)
        await self.at(end.seq, end.event_id)
        guard = self.guard()
        await guard.look()
        assert guard.why == {}
        await guard.remember()
        return end


class SlowWitness(Bucket):
    """A bucket whose answer is late: meanwhile the log grows and the facts follow it."""

    def __init__(self, world: World) -> None:
        super().__init__(world.rig.nc, subjects.WITNESS)
        self._world = world

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Read, and let the world go on."""
        entry = await super().get(key)
        await self._world.rig.append(subjects.mailing(new_id()), MailingCancelled())
        end = await remember(self._world.log)
        await self._world.at(end.seq, end.event_id)
        return entry


@pytest.fixture
async def world(log_streams: NatsServer, nc: Client, tmp_path: Path) -> AsyncIterator[World]:
    """Yield a world in which everybody agrees."""
    rig = Sending(nc, log_streams.url, 2525, tmp_path)
    await rig.add_account()
    await rig.start_mailing("m1")
    await rig.append(subjects.mailing("m1"), MailingScheduled(at=now()), SendingStarted())
    engine = open_engine(f"sqlite:///{tmp_path}/planner.sqlite3")
    await migrate(engine, "services.planner.migrations")
    yield World(rig, engine)
    await engine.dispose()


def act() -> Act:
    """Return a confirmation by the operator."""
    return Act("operator", "", new_id(20))


async def test_a_new_installation_and_one_that_was_only_stopped_are_trusted(world: World) -> None:
    """Nothing is paused, and the facts may be behind by what a crash costs."""
    await world.agreed()
    await world.rig.append(subjects.mailing("m2"), MailingCancelled())
    guard = world.guard()
    await guard.look()
    assert guard.why == {}
    assert (await world.mailing()).status == "sending"


async def test_a_log_that_grows_during_the_look_is_trusted(world: World) -> None:
    """Else the leader election of one bucket would pause every mailing."""
    await world.agreed()
    guard = Guard(world.log, Memories(world.engine), SlowWitness(world))
    await guard.look()
    assert guard.why == {}
    assert (await world.mailing()).status == "sending"


async def _ahead(world: World) -> None:
    end = await world.agreed()
    await world.at(end.seq + 5, "later.0")


async def _forked(world: World) -> None:
    end = await world.agreed()
    await world.at(end.seq, "another.0")


async def _older_database(world: World) -> None:
    end = await world.agreed()
    await world.at(end.seq - 1)


async def _fewer_imports(world: World) -> None:
    await world.imports()
    await world.agreed()
    async with world.engine.begin() as conn:
        await conn.execute(IMPORTS.delete())


async def _foreign(world: World) -> None:
    await world.agreed()
    await Memories(world.engine).adopt("another-log")


async def _marked(world: World) -> None:
    js = world.rig.nc.jetstream()
    config = (await js.stream_info(subjects.EVENTS)).config
    config.metadata = (config.metadata or {}) | {subjects.RESTORED_FROM: "a backup", subjects.INCARNATION: "new"}
    await js.update_stream(config)


CASES = {
    "older log": (_ahead, "planner", "ends at seq"),
    "forked log": (_forked, "planner", "held another.0 before"),
    "older database": (_older_database, "database", "it was at"),
    "older contacts": (_fewer_imports, "database", "imports of contacts"),
    "foreign log": (_foreign, "planner", "not another-log"),
    "put back by the command, nothing remembered": (_marked, "planner", "restored from a backup"),
}


@pytest.mark.parametrize("case", CASES)
async def test_each_dangerous_case_is_held_until_it_is_confirmed(case: str, world: World) -> None:
    """The mailing is paused with the reason; the confirmation resumes it, and the next planner trusts the log."""
    happen, who, said = CASES[case]
    await happen(world)
    before = (await identify(world.log)).incarnation
    guard = world.guard()
    await guard.look()
    assert said in guard.why[who]
    state = await world.mailing()
    assert (state.status, state.reason) == ("paused", RESTORED)

    done = await guard.confirm(act(), keep_paused=False)
    assert done.resumed == ["m1"]
    assert done.incarnation != before
    assert (await world.mailing()).status == "sending"
    for planner in (guard, world.guard()):
        await planner.look()
        assert planner.why == {}
    again = await guard.confirm(act(), keep_paused=False)
    assert (again.incarnation, again.resumed) == (done.incarnation, [])


async def test_facts_of_another_log_are_made_anew_after_the_confirmation(world: World) -> None:
    """The checkpoint begins at 0 and no mark of a retry is left; facts that fit stay."""
    await _ahead(world)
    async with world.engine.begin() as conn:
        await conn.execute(insert(MARKS).values(of="m1", retried=10**6))
    guard = world.guard()
    await guard.look()
    await guard.confirm(act(), keep_paused=False)
    async with world.engine.connect() as conn:
        at = await checkpoints.read(conn, Facts.name)
        assert at is not None
        assert at.seq == 0
        assert await conn.scalar(select(func.count()).select_from(MARKS)) == 0


async def test_another_service_that_remembers_more_holds_everything(world: World) -> None:
    """Senders' journals newer than log and database; every planner knows by the report, and the name is superseded."""
    end = await world.agreed()
    guard, other = world.guard(), world.guard()
    await guard.hear("sender", Memory(end.incarnation, end.seq + 100, "later.0"))
    await other.look()
    assert "ends at seq" in guard.why["sender"]
    assert set(other.why) == set(guard.why) == {"sender"}
    assert (await world.mailing()).reason == RESTORED
    await guard.confirm(act(), keep_paused=True)
    assert (await world.mailing()).status == "paused", "the operator wanted to look at each first"
    await other.hear("sender", Memory(end.incarnation, end.seq + 100, "later.0"))
    await other.look()
    assert other.why == {}, "the old name is superseded"
    await other.hear("sender", Memory("of-nowhere", 7, "x.0"))
    assert other.why


async def test_a_mailing_that_was_paused_by_a_person_is_not_resumed(world: World) -> None:
    """The confirmation lets go on only what the guard had paused."""
    await _marked(world)
    guard = world.guard()
    await guard.look()
    await world.rig.start_mailing("m2")
    await world.rig.append(subjects.mailing("m1"), MailingCancelled())
    done = await guard.confirm(act(), keep_paused=False)
    assert done.resumed == []
    assert (await world.mailing()).status == "cancelled"
