"""A/B tests as the planner plans them: the sample, the wait, the figures, the rest."""

from datetime import timedelta
from typing import Any

import pytest

from services.planner.settings import PlannerSettings
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.envelope import Origin
from shared.contracts.mailing import MailingDrafted, SampleSent, WinnerChosen
from shared.contracts.sending import ChunkPlanned
from shared.ids import new_id
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

PEOPLE = b"email,name\n" + b"".join(b"p%d@x.example,Person %d\n" % (n, n) for n in range(20))
TEST: dict[str, Any] = {"versions": {"b": {"subject": "Look here"}}, "recipients": 10, "wait_minutes": 0.02}


@pytest.fixture
def planner_settings(planner_settings: PlannerSettings) -> PlannerSettings:
    """Return settings with small chunks, so that versions and rest have several."""
    return planner_settings.model_copy(update={"chunk_size": 3})


async def _started(desk: Desk, **more: object) -> tuple[str, list[ChunkPlanned]]:
    """Start a mailing with a test and return it with the chunks of its sample."""
    await desk.imported(PEOPLE)
    mailing = await desk.drafted(ab_test=TEST | more)
    await desk.do(commands.FreezeAudience(mailing=mailing))
    await desk.do(commands.ScheduleMailing(mailing=mailing))
    return mailing, await desk.planned(mailing, 4)


async def _click(desk: Desk, chunk: ChunkPlanned, index: int, agent: str = "desktop") -> None:
    """Let somebody click long enough after the mail was accepted."""
    hit = Hit(
        id=new_id(),
        kind="click",
        mailing=chunk.mailing,
        n=chunk.n,
        index=index,
        link=0,
        at=clock.now() + timedelta(hours=1),
        agent=agent,
    )
    origin = Origin(new_id(), "test", clock.now())
    await desk.log.append_journal(subjects.engagement(0), [HitsRecorded(hits=[hit])], origin=origin)


async def _last(desk: Desk, mailing: str, kind: type[WinnerChosen] | type[SampleSent]) -> Any:  # noqa: ANN401 - of the kind
    async def there() -> Any:  # noqa: ANN401 - as above
        found = [event for event in await desk.events(subjects.mailing(mailing)) if isinstance(event, kind)]
        return found[-1] if found else None

    return await until(there, 20)


@pytest.mark.feature("B14")
async def test_the_rest_gets_what_did_best_with_people(desk: Desk) -> None:
    """Ten of twenty get two versions; a machine's clicks do not count; the rest gets version b."""
    mailing, chunks = await _started(desk)
    draft = (await desk.events(subjects.mailing(mailing)))[0]
    assert isinstance(draft, MailingDrafted)
    assert draft.ab_test is not None
    said = {"a": draft.content, "b": draft.ab_test.versions["b"].content}
    assert [sum(len(c.contacts) for c in chunks if c.version == letter) for letter in "ab"] == [5, 5]
    assert all(chunk.content == said[chunk.version] for chunk in chunks)
    for chunk in chunks:
        for index in range(len(chunk.contacts)):
            await _click(desk, chunk, index, "desktop" if chunk.version == "b" else "automat")
    for chunk in chunks:
        await desk.finish(chunk)
    won = await _last(desk, mailing, WinnerChosen)
    assert (won.version, won.by) == ("b", "clicks")
    assert {letter: (f.sent, f.clicked) for letter, f in won.figures.items()} == {"a": (5, 0), "b": (5, 5)}
    rest = [chunk for chunk in await desk.planned(mailing, 8) if not chunk.version]
    assert {chunk.content for chunk in rest} == {said["b"]}
    everybody = [contact for chunk in [*chunks, *rest] for contact in chunk.contacts]
    assert len(set(everybody)) == len(everybody) == 20
    for chunk in rest:
        await desk.finish(chunk)
    await desk.happened(mailing, "MailingCompleted")
    assert (await desk.types(mailing))[-4:] == ["SendingStarted", "SampleSent", "WinnerChosen", "MailingCompleted"]


@pytest.mark.feature("B14")
async def test_a_planner_that_was_away_decides_when_it_is_back(desk: Desk) -> None:
    """Paused it chooses nothing; resumed after a restart it does, by what happened meanwhile, and once."""
    mailing, chunks = await _started(desk, by="opens", wait_minutes=0)
    await desk.do(commands.PauseMailing(mailing=mailing))
    for chunk in chunks:
        await desk.finish(chunk)
    await desk.facts_seen(subjects.chunk(mailing, chunks[-1].n))
    await desk.down()
    await _click(desk, next(chunk for chunk in chunks if chunk.version == "b"), 0)
    await desk.up()
    assert (await desk.ask(commands.Forecast(mailing=mailing)))["left"] == 10
    assert "SampleSent" not in await desk.types(mailing)
    await desk.do(commands.ResumeMailing(mailing=mailing))
    won = await _last(desk, mailing, WinnerChosen)
    assert (won.version, won.by) == ("b", "opens")
    assert len(await desk.planned(mailing, 8)) == 8
    assert (await desk.types(mailing)).count("WinnerChosen") == 1


@pytest.mark.feature("B14")
async def test_by_hand_it_waits_for_somebody(desk: Desk) -> None:
    """The sample is sent, nothing else is planned; a version that is chosen goes to the rest, a second one does not."""
    mailing, chunks = await _started(desk, by="hand")
    for chunk in chunks:
        await desk.finish(chunk)
    assert (await _last(desk, mailing, SampleSent)).decides_at is None
    assert len(await desk.plans(mailing)) == 4
    assert await desk.refused(commands.ChooseWinner(mailing=mailing, version="c")) == "version_unknown"
    await desk.do(commands.ChooseWinner(mailing=mailing, version="b"))
    assert await desk.refused(commands.ChooseWinner(mailing=mailing, version="a")) == "winner_chosen"
    won = await _last(desk, mailing, WinnerChosen)
    assert (won.by, won.figures["a"].sent) == ("hand", 5)
    await desk.planned(mailing, 8)


@pytest.mark.feature("B14")
async def test_a_test_is_part_of_the_draft(desk: Desk) -> None:
    """It is refused where it cannot be, comes back as it was written, and a version is shown to be looked at."""
    await desk.imported(PEOPLE)
    broken = {"versions": {"c": {"html": "<p>{{ nobody }}</p>"}}, "percent": 10}
    wanted = {"campaign": "c", "name": "m", "account": await desk.account(), "sender_address": "a@example.com"}
    opened = await desk.do(commands.OpenCampaign(name="c", lists=["readers"]))
    wanted |= {"campaign": opened["campaign"], "subject": "s", "html": "<p><a href='https://a.example/'>x</a></p>"}

    def draft(test: dict[str, Any]) -> commands.DraftMailing:
        return commands.DraftMailing.model_validate(wanted | {"ab_test": test})

    assert await desk.refused(draft(broken)) == "unknown_placeholder"
    assert await desk.refused(draft(TEST | {"percent": 5})) == "sample_size_missing"
    other: dict[str, Any] = {"versions": {"b": {"html": "<p><a href='https://b.example/'>y</a></p>"}}, "percent": 50}
    done = await desk.do(draft(other))
    assert done["links"] == ["https://a.example/", "https://b.example/"]
    written = await desk.ask(commands.Draft(mailing=done["mailing"]))
    assert written["ab_test"]["versions"]["b"]["html"] == other["versions"]["b"]["html"]
    shown = [
        (await desk.ask(commands.PreviewMailing(mailing=done["mailing"], contact="p1@x.example", version=letter)))[
            "html"
        ]
        for letter in "ab"
    ]
    assert ["https://a.example/" in shown[0], "https://b.example/" in shown[1]] == [True, True]
    edited = commands.EditMailing.model_validate(wanted | {"mailing": done["mailing"], "ab_test": written["ab_test"]})
    await desk.do(edited)
    assert (await desk.types(done["mailing"])) == ["MailingDrafted"], "an edit that changes nothing is none"
