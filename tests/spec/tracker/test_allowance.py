"""What one link may write: a handful of acts, then one a minute; repeats cost nothing, and what is not kept neither."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from services.tracker.acts import By, entry_of
from services.tracker.allowance import AT_ONCE, SECONDS_EACH, Allowance, TooManyError
from services.tracker.entries import Entry
from services.tracker.forms import Act
from services.tracker.recorder import NotKeptError, Recorder

AT = datetime(2026, 5, 1, tzinfo=UTC)
ANN, BOB = By("0" * 16, "m1", 0, 0), By("1" * 16, "m1", 0, 1)


@dataclass
class Case:
    """An allowance before a recorder that counts, by a clock that is set."""

    most_links: int = 100
    seconds: float = 5_000.0
    broken: bool = False
    kept: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        """Put it together."""
        self.allowance = Allowance(_Counting(self), most_links=self.most_links, clock=lambda: self.seconds)

    async def send(self, page: int, by: By = ANN, *, one_click: bool = False) -> str:
        """Send a form; return what becomes of it."""
        act = Act("out", ("l1",), how="one-click") if one_click else Act("out", ("l1",), page=f"p{page}")
        entry = entry_of(by, act, AT + timedelta(seconds=self.seconds))
        try:
            await self.allowance.record(by, entry, always=one_click)
        except TooManyError:
            return "too many"
        except NotKeptError:
            return "not kept"
        return "kept"


class _Counting(Recorder):
    def __init__(self, case: Case) -> None:
        self._case = case

    async def record(self, entry: Entry) -> None:
        await asyncio.sleep(0)
        if self._case.broken:
            raise NotKeptError
        self._case.kept[entry.origin.command_id] += 1


async def test_a_handful_and_then_one_a_minute() -> None:
    """However many come; another link is not touched by it; after a while all are there again."""
    case = Case()
    assert Counter([await case.send(page) for page in range(500)]) == {"kept": AT_ONCE, "too many": 500 - AT_ONCE}
    assert await case.send(0, BOB) == "kept"
    for _ in range(3):
        case.seconds += SECONDS_EACH
        assert [await case.send(page) for page in range(3)] == ["kept", "too many", "too many"]
    case.seconds += AT_ONCE * SECONDS_EACH
    assert Counter([await case.send(page) for page in range(500)])["kept"] == AT_ONCE
    assert max(case.kept.values()) == 1


async def test_a_repeat_is_written_once_and_costs_nothing() -> None:
    """At once and later; even where the allowance is used up, for it is safe already."""
    case = Case()
    assert set(await asyncio.gather(*(case.send(7) for _ in range(200)))) == {"kept"}
    assert {await case.send(7) for _ in range(200)} == {"kept"}
    assert list(case.kept.values()) == [1]
    assert [await case.send(100 + page) for page in range(AT_ONCE)][-1] == "too many"
    assert await case.send(7) == "kept"
    assert len(case.kept) == AT_ONCE


async def test_one_click_is_taken_always_and_written_once() -> None:
    """After a flood of forms, too; again only when the moment has passed."""
    case = Case()
    for page in range(50):
        await case.send(page)
    before = len(case.kept)
    assert {await case.send(0, one_click=True) for _ in range(100)} == {"kept"}
    case.seconds += 10
    assert {await case.send(0, one_click=True) for _ in range(100)} == {"kept"}
    assert len(case.kept) - before == 2
    assert max(case.kept.values()) == 1


async def test_what_was_not_kept_costs_nothing() -> None:
    """Whoever waited with it is told; the same form sent again is tried again."""
    case = Case(broken=True)
    assert set(await asyncio.gather(*(case.send(1) for _ in range(5)))) == {"not kept"}
    assert {await case.send(page) for page in range(5 * AT_ONCE)} == {"not kept"}
    case.broken = False
    assert [await case.send(page) for page in range(AT_ONCE + 1)] == ["kept"] * AT_ONCE + ["too many"]


async def test_a_client_that_goes_away_ends_the_act_for_nobody() -> None:
    """The first one leaves, the second one hears that it is safe."""
    case = Case()
    first = asyncio.create_task(case.send(1))
    second = asyncio.create_task(case.send(1))
    await asyncio.sleep(0)
    first.cancel()
    assert await second == "kept"
    with pytest.raises(asyncio.CancelledError):
        await first
    assert list(case.kept.values()) == [1]


async def test_memory_is_bounded() -> None:
    """By number, the link used longest ago goes first; and none is kept that is as good as new."""
    case = Case(most_links=5)
    everybody = [By(f"{number:016}", "m1", 0, number) for number in range(20)]
    for by in everybody:
        await case.send(0, by)
    assert list(case.allowance._links) == everybody[-5:]
    case.seconds += AT_ONCE * SECONDS_EACH + 1
    await case.send(0, ANN)
    assert list(case.allowance._links) == [ANN]
