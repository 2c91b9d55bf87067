"""Frozen audiences: reasons, suppression, the cache that can be lost."""

import hashlib

import pytest
from sqlalchemy import delete, update

from services.planner.audience.frozen_object import AudienceError
from services.planner.audience.frozen_rows import AUDIENCES, PIECES, ROWS, fill, forget_others
from shared.contracts import commands, subjects
from shared.contracts.consent import AddressSuppressed, OptedIn, OptedOut
from shared.contracts.mailing import AudienceFrozen
from shared.database import create_engine
from shared.eventlog.objects import Objects
from shared.keys import KeyRing
from tests.integration.planner.conftest import Desk

PEOPLE = b"email\n" + b"".join(b"p%d@x.example\n" % at for at in range(5))

pytestmark = pytest.mark.usefixtures("database")  # both of them


async def frozen(desk: Desk, mailing: str) -> AudienceFrozen:
    """Return the last frozen audience as the log has it."""
    found = [e for e in await desk.events(subjects.mailing(mailing)) if isinstance(e, AudienceFrozen)]
    return found[-1]


async def test_who_opted_out_before_is_left_out_with_the_reason(desk: Desk) -> None:
    """Out of all lists it came from, or of everything; the last act wins; the position says how far that was known."""
    keys = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    await desk.imported(PEOPLE, "one")
    await desk.imported(PEOPLE[:20], "two")
    lists = {row["name"]: row["id"] for row in (await desk.ask(commands.Lists()))["lists"]}
    mailing = await desk.drafted(["one", lists["two"]])

    async def act(event: object, at: int) -> int:
        key = keys.address_key(f"p{at}@x.example")
        made = event(address_key=key)  # type: ignore[operator]  # a partial event
        return await desk.write(subjects.consent(subjects.partition(key)), made)

    await act(lambda **k: OptedOut(scope=lists["one"], how="page", **k), 0)  # still on list two
    await act(lambda **k: OptedOut(scope=lists["one"], how="page", **k), 1)
    await act(lambda **k: AddressSuppressed(scope="*", reason="hard bounce", **k), 2)
    await act(lambda **k: OptedOut(scope="*", how="page", **k), 3)
    last = await act(lambda **k: OptedIn(scope="*", how="page", **k), 3)
    answer = await desk.do(commands.FreezeAudience(mailing=mailing))
    assert (answer["recipients"], answer["skipped"]) == (3, {"opted_out": 1, "suppressed": 1})
    event = await frozen(desk, mailing)
    assert event.position >= last
    page = await desk.ask(commands.Audience(mailing=mailing, limit=2))
    rest = await desk.ask(commands.Audience(mailing=mailing, limit=10, after=page["next"]))
    rows = page["rows"] + rest["rows"]
    assert [row["skipped"] for row in rows].count("") == 3
    assert {row["address"]: row["skipped"] for row in rows} == {
        "p0@x.example": "",
        "p1@x.example": "opted_out",
        "p2@x.example": "suppressed",
        "p3@x.example": "",
        "p4@x.example": "",
    }
    skipped = await desk.ask(commands.Audience(mailing=mailing, only="skipped"))
    assert len(skipped["rows"]) == 2
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    chunk = (await desk.planned(mailing, 1))[0]
    assert chunk.checked == event.position
    assert len(chunk.contacts) == 3


async def test_the_object_is_named_by_its_hash_and_frozen_again_at_will(desk: Desk) -> None:
    """The same contacts give the same object; with a new one it is another."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    first = await frozen(desk, mailing)
    data = await Objects(desk.nc, subjects.AUDIENCE).get(first.object)
    assert hashlib.sha256(data).hexdigest() == first.object
    await desk.do(commands.FreezeAudience(mailing=mailing))
    assert (await frozen(desk, mailing)).object == first.object
    await desk.imported(b"email\nnew@x.example\n")
    await desk.do(commands.FreezeAudience(mailing=mailing))
    second = await frozen(desk, mailing)
    assert second.object != first.object
    assert second.recipients == 6
    await desk.do(commands.ScheduleMailing(mailing=mailing, at="2099-01-01T00:00:00"))
    assert await desk.refused(commands.FreezeAudience(mailing=mailing)) == "audience_fixed"


async def test_a_cache_that_was_lost_is_made_again_from_the_object(desk: Desk) -> None:
    """Planning and listing go on as if nothing had happened."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    engine = create_engine(desk.settings, "planner")
    async with engine.begin() as conn:
        for table in (AUDIENCES, ROWS, PIECES):
            await conn.execute(delete(table))
    await engine.dispose()
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    assert len((await desk.planned(mailing, 1))[0].contacts) == 5
    assert len((await desk.ask(commands.Audience(mailing=mailing)))["rows"]) == 5


async def test_a_cache_that_is_not_whole_is_never_planned_from(desk: Desk) -> None:
    """Somebody would be left out and nobody would notice: the chunk waits until the cache is whole again."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    engine = create_engine(desk.settings, "planner")
    async with engine.begin() as conn:
        await conn.execute(delete(ROWS).where(ROWS.c.idx == 3))
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    await desk.happened(mailing, "SendingStarted")
    await desk.facts_seen(subjects.mailing(mailing))
    async with engine.begin() as conn:
        for table in (AUDIENCES, ROWS, PIECES):
            await conn.execute(delete(table))
    await engine.dispose()
    assert len((await desk.planned(mailing, 1))[0].contacts) == 5


async def test_a_cache_that_is_being_removed_is_not_taken_for_whole(desk: Desk) -> None:
    """Who fills it meanwhile is told, and fills it anew when it is gone."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted()
    await desk.do(commands.FreezeAudience(mailing=mailing))
    name = (await frozen(desk, mailing)).object
    objects = Objects(desk.nc, subjects.AUDIENCE)
    engine = create_engine(desk.settings, "planner")
    async with engine.begin() as conn:
        await conn.execute(update(AUDIENCES).values(complete=False, lines=-1))
    with pytest.raises(AudienceError):
        await fill(engine, mailing, name, objects.open(name))
    await forget_others(engine, mailing, "")
    await fill(engine, mailing, name, objects.open(name))
    await engine.dispose()
    assert len((await desk.ask(commands.Audience(mailing=mailing)))["rows"]) == 5
