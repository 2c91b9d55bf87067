"""Recurring mailings: when each comes round, what was made of it, and its end."""

from functools import partial
from typing import TYPE_CHECKING

from nicegui import ui

from services.reporting.console import rhythms, words
from services.reporting.console.desk import Data
from services.reporting.console.dialog import Question, dialog_button
from services.reporting.console.form import Values
from services.reporting.console.frame import Frame, heading, nothing
from services.reporting.console.html import Tag, link, pill, tag
from services.reporting.console.listing import NONE, Cell, Column, Listing
from services.reporting.console.pages import series_form
from shared.contracts import commands
from shared.contracts.commands import Refusal

if TYPE_CHECKING:
    from services.reporting.console.mount import Console

_LEAD = "A fresh mailing each time: from its lists and its template as they are then, with a report of its own."
_EMPTY = "Write one mailing, then have one like it made every day, on days of the week, or once a month."
_COLUMNS = (
    Column("Name", "wide"),
    Column("State", "state"),
    Column("Next", "when"),
    Column("Made", "number"),
    Column("Left out", "number"),
    Column("Last time", "wide"),
)
_TIMES = (Column("When", "when"), Column("What became of it", "wide"))


async def _all(frame: Frame) -> None:
    desk = frame.desk
    rows = (await desk.read(commands.AllSeries()))["series"]
    with heading("Recurring mailings", _LEAD):
        if rows and desk.may("send"):
            link("New recurring mailing", "/series/new", "button primary")
    if not rows:
        action = "Make one" if desk.may("send") else ""
        nothing("No recurring mailing yet", _EMPTY, action, "/series/new")
        return
    Listing("Recurring mailings", _COLUMNS, "cards").fill([_row(frame, one) for one in rows])


def _row(frame: Frame, one: Data) -> list[Cell]:
    reason = one["last_reason"]
    became = partial(_became, "" if reason else one["last_mailing"], reason)
    return [
        partial(_title, one),
        partial(pill, *_state(one)),
        words.moment(one["next_at"], frame.desk.zone) or NONE,
        words.count(one["made"]),
        words.count(one["skipped"]),
        became if one["last_at"] else NONE,
    ]


def _title(one: Data) -> None:
    link(one["name"], f"/series/{one['series']}", "name")
    tag("span", rhythms.told(one["rhythm"]), "under")


def _state(one: Data) -> tuple[str, str]:
    if one["stopped"]:
        return "Stopped", "plain"
    return ("Goes on", "green") if one["next_at"] else ("Over", "plain")


def _became(mailing: str, reason: str, *, waits: bool = False) -> Tag:
    """Say what became of a time: the mailing, or why there is none."""
    if reason:
        return tag("span", f"Left out: {words.skip(reason)}")
    return link("The mailing" + (", which waits for its start" if waits else ""), f"/mailings/{mailing}")


async def _one(frame: Frame, series: str) -> None:
    desk = frame.desk
    found = await desk.read(commands.ShowSeries(series=series))
    head = heading(found["name"], rhythms.told(found["rhythm"]))
    with head.beside:
        pill(*_state(found))
    with head:
        if desk.may("send") and not found["stopped"]:
            link("Edit", f"/series/{series}/edit", "button")
            _stop(frame, series)
    with tag("div", "", "columns"):
        with tag("section", "", "card", aria_labelledby="times"):
            tag("h2", "What it made", id="times")
            _times(frame, found["times"])
        with tag("section", "", "card", aria_labelledby="details"):
            tag("h2", "Details", id="details")
            await _facts(frame, found)


def _times(frame: Frame, times: list[Data]) -> None:
    if not times:
        tag("p", "It did not come round yet.", "under")
        return
    listing = Listing("What became of its times", _TIMES, "cards flat")
    for one in times:
        became = partial(_became, one["mailing"], one["reason"], waits=one["waits"])
        listing.row([words.moment(one["at"], frame.desk.zone), became])


async def _facts(frame: Frame, found: Data) -> None:
    desk, zone, draft = frame.desk, found["rhythm"]["zone"], found["draft"]
    campaigns = (await desk.read(commands.Campaigns()))["campaigns"]
    names = {one["campaign"]: one["name"] for one in campaigns}
    kept = {one["template"]: one["name"] for one in (await desk.read(commands.Templates()))["templates"]}
    minutes = found["deadline_minutes"]
    facts = (
        ("Next", words.moment(found["next_at"], desk.zone) or "never"),
        ("Campaign", names.get(found["campaign"], found["campaign"])),
        ("What it says", f"template {kept.get(draft['template'], 'that is gone')}" if draft["template"] else ""),
        ("Subject", draft["subject"]),
        ("Hours", words.hours(found["hours"], zone) if found["hours"] else ""),
        ("Nothing goes out after", words.duration(60 * minutes) if minutes else ""),
        ("A time that was missed", series_form.LATE[found["late"]]),
        ("Nobody new", "left out" if found["only_new"] else ""),
        ("Stopped, as", words.skip(found["reason"]) if found["reason"] else ""),
    )
    with tag("dl", "", "facts narrow"):
        for label, text in facts:
            if text:
                with tag("div"):
                    tag("dt", label)
                    tag("dd", text)


def _stop(frame: Frame, series: str) -> None:
    async def submit(_: Values) -> Refusal | None:
        answer = await frame.desk.tell(commands.StopSeries(series=series))
        if answer.refusal is None:
            ui.navigate.to(f"/series/{series}?at={answer.position}")
        return answer.refusal

    text = "No more mailings are made of it, for good. What was made goes out."
    dialog_button("Stop", Question("Stop this recurring mailing?", text, "Stop it", "danger"), submit)


def _back(label: str, href: str) -> None:
    with tag("nav", "", "crumbs", aria_label="Back"):
        link(label, href)


def register(console: "Console") -> None:
    """Register the pages."""

    @console.page("/series", "Recurring mailings", here="/")
    async def _(frame: Frame) -> None:
        _back("← All mailings", "/")
        await _all(frame)

    @console.page("/series/new", "New recurring mailing", "send", here="/")
    async def _(frame: Frame) -> None:
        _back("← Recurring mailings", "/series")
        await series_form.draw_new(frame)

    @console.page("/series/{series}", "Recurring mailing", here="/")
    async def _(frame: Frame, series: str) -> None:
        _back("← Recurring mailings", "/series")
        await _one(frame, series)

    @console.page("/series/{series}/edit", "Edit recurring mailing", "send", here="/")
    async def _(frame: Frame, series: str) -> None:
        _back("← Back to it", f"/series/{series}")
        await series_form.draw_edit(frame, series)
