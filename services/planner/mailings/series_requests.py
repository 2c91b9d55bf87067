"""The requests about recurring mailings. What one drafts is tried before it is recorded, as if it came round now."""

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from services.planner.audience.freezing import digest
from services.planner.idempotency import Act
from services.planner.mailings import drafting, schedule, series
from services.planner.mailings.series import Command, Series, SeriesDecider
from services.planner.parts import Parts
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Attachment, Refusal
from shared.contracts.series import OccurrenceMade, OccurrenceSkipped, SeriesEdited, SeriesOpened
from shared.eventlog.handling import handle

Result = Answer | Refusal
_TIMES = 100
_NOTHING = {"mailing": "", "waits": False, "reason": ""}


async def open_series(parts: Parts, wanted: commands.OpenSeries, act: Act) -> Result:
    """Open it, where what it drafts could be drafted now."""
    settings = await _settings(parts, wanted)
    if isinstance(settings, Refusal):
        return settings
    return await _order(parts, act.new_id("series"), series.Open(SeriesOpened(**settings)), act)


async def edit_series(parts: Parts, wanted: commands.EditSeries, act: Act) -> Result:
    """Replace it as a whole."""
    settings = await _settings(parts, wanted)
    if isinstance(settings, Refusal):
        return settings
    return await _order(parts, wanted.series, series.Edit(SeriesEdited(**settings)), act)


async def stop_series(parts: Parts, wanted: commands.StopSeries, act: Act) -> Result:
    """Make no more."""
    return await _order(parts, wanted.series, series.Stop(), act)


async def _settings(parts: Parts, wanted: commands.OpenSeries) -> dict[str, Any] | Refusal:
    ready = await drafting.prepared(parts, wanted.draft)
    if isinstance(ready, Refusal):
        return ready.model_copy(update={"field": f"draft.{ready.field}"})
    drafted, content = ready
    refusal = (await parts.campaign(drafted.campaign)).refusal(clock.now().date())
    refusal = refusal or (await parts.account(drafted.account)).refusal(content.sender_address)
    refusal = refusal or schedule.problem(wanted.hours, wanted.rhythm.zone)
    if refusal is not None:
        return refusal
    # An upload is erased by its age: what it held is an object by now.
    files = [Attachment.model_validate(file.model_dump(exclude={"size"})) for file in content.attachments]
    kept = wanted.draft.model_copy(update={"attachments": files}).model_dump_json().encode()
    await parts.contents.put(digest(kept), kept)
    settings = wanted.model_dump(exclude={"draft", "series"})
    return settings | {
        "campaign": drafted.campaign,
        "name": drafted.name,
        "draft": digest(kept),
        "since": clock.now(),
    }


async def _order(parts: Parts, name: str, command: Command, act: Act) -> Result:
    done = await handle(parts.log, SeriesDecider(), subjects.series(name), command, act.origin())
    if isinstance(done, Refusal):
        return done
    parts.series.nudge()
    return Answer(ok=True, position=done.seq, data={"series": name, "next_at": _at(done.state)})


async def all_series(parts: Parts, _: commands.AllSeries) -> Result:
    """List them, those that go on first."""
    decider, known = SeriesDecider(), dict[str, Series]()
    async for commits in parts.log.scan([subjects.ALL_SERIES]):
        for commit in commits:
            name = commit.subject.rpartition(".")[2]
            for record in commit.events:
                known[name] = decider.evolve(known.get(name, decider.initial()), record.event)
    rows = [_row(name, state) for name, state in known.items()]
    ordered = sorted(rows, key=lambda row: (not row["next_at"], row["next_at"], row["name"]))
    return Answer(ok=True, data={"series": ordered})


async def show_series(parts: Parts, wanted: commands.ShowSeries) -> Result:
    """Show one."""
    decider, state, times = SeriesDecider(), Series(), deque[dict[str, Any]](maxlen=_TIMES)
    for commit in await parts.log.load(subjects.series(wanted.series)):
        for record in commit.events:
            state = decider.evolve(state, record.event)
            if isinstance(record.event, OccurrenceMade | OccurrenceSkipped):
                times.appendleft(_NOTHING | record.event.model_dump(mode="json"))
    if state.settings is None:
        return series.NO_SERIES
    draft = commands.DraftMailing.model_validate_json(await parts.contents.get(state.settings.draft))
    sources = state.settings.sources
    told = {
        "draft": draft.model_dump(mode="json"),
        "sources": sources.model_dump(mode="json") if sources else None,
        "times": list(times),
    }
    return Answer(ok=True, data=_row(wanted.series, state) | told)


def _row(name: str, state: Series) -> dict[str, Any]:
    assert state.settings is not None  # noqa: S101 - its first event says what it is
    shown = state.settings.model_dump(mode="json", exclude={"draft", "since", "sources"})
    return shown | {
        "series": name,
        "next_at": _at(state),
        "made": state.made,
        "skipped": state.skipped,
        "last_at": state.last.isoformat().replace("+00:00", "Z") if state.last else "",
        "last_mailing": state.mailing,
        "last_reason": state.skip,
        "stopped": state.stopped,
        "reason": state.reason,
    }


def _at(state: Series) -> str:
    at = state.next_at
    return "" if at is None else at.isoformat().replace("+00:00", "Z")


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.OpenSeries: open_series,
    commands.EditSeries: edit_series,
    commands.StopSeries: stop_series,
}
QUERIES: dict[type[commands.Query], Callable[[Parts, Any], Awaitable[Result]]] = {
    commands.AllSeries: all_series,
    commands.ShowSeries: show_series,
}
