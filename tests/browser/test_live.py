"""How far the numbers on a page are behind the log."""

from statistics import median
from typing import Any

import pytest
from nats.aio.client import Client as Connection

from deploy.local import Local
from shared.contracts import commands, subjects
from shared.contracts.account import Limits
from shared.contracts.ranges import unpack
from shared.contracts.sending import RecipientsSettled
from shared.eventlog.connection import close
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from tests.browser.conftest import ANN, Open
from tests.browser.stock import stocked

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.alone]

_PEOPLE = 300
_PER_HOUR = 3600 * 40
_WATCH = """() => {
  window.seen = [];
  const figure = [...document.querySelectorAll(".tile")].find((tile) => tile.querySelector("dt").innerText === "Sent")
    .querySelector(".figure");
  const note = () => window.seen.push([Date.now(), Number(figure.innerText.replaceAll(",", ""))]);
  new MutationObserver(note).observe(figure, {childList: true, characterData: true, subtree: true});
}"""


@pytest.mark.feature("M5")
async def test_numbers_lag_the_log_by_less_than_a_second(window: Open, local: Local) -> None:
    """From the append of an outcome to its number on the page: less than a second, for each of many."""
    nc = await local.connect("operator")
    try:
        stock = await stocked(nc, local, _PEOPLE)
        mailing = await stock.draft("Watched", Limits(per_hour=_PER_HOUR))
        site = await window()
        await site.sign_in(ANN)
        await site.goto(f"/mailings/{mailing}")
        await site.page.evaluate(_WATCH)
        await stock.do(commands.ScheduleMailing(mailing=mailing))
        await site.page.locator(".title-row .pill", has_text="Completed").wait_for(timeout=60_000)
        seen: list[tuple[float, int]] = await site.page.evaluate("window.seen")
        recorded = await _recorded(nc, mailing)
    finally:
        await close(nc)
    assert recorded[-1][1] == seen[-1][1] == _PEOPLE - 1
    lags = [next(at for at, shown in seen if shown >= count) - at_log for at_log, count in recorded]
    print(f"{len(lags)} appends: lag median {median(lags):.0f} ms, most {max(lags):.0f} ms")  # noqa: T201 - measured
    assert len(lags) > 5
    assert max(lags) < 1000, lags


async def _recorded(nc: Connection, mailing: str) -> list[tuple[float, int]]:
    """Return when the log said how many were accepted, in milliseconds since 1970."""
    found: list[Any] = []
    for stored in await Reader(nc, subjects.EVENTS).batch(subjects.chunks_of(mailing), 1, 10_000):
        found += [commit for commit in await EventLog(nc).load(stored.subject) if commit.seq == stored.seq]
    total, told = 0, []
    for commit in sorted(found, key=lambda commit: commit.seq):
        settled = [record.event for record in commit.events if isinstance(record.event, RecipientsSettled)]
        accepted = sum(len(unpack(g.indexes)) for event in settled for g in event.groups if g.outcome == "accepted")
        if accepted:
            total += accepted
            told.append((commit.recorded_at.timestamp() * 1000, total))
    return told
