"""Commands on entities: decided on the whole history, carried out once, decided anew when others were faster."""

import asyncio
from dataclasses import dataclass

import pytest

from shared.contracts.campaign import CampaignClosed, CampaignOpened
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.eventlog.errors import WrongVersionError
from shared.eventlog.handling import Handled, handle
from shared.eventlog.store import EventLog
from tests.contract.conftest import Connect, Servers
from tests.contract.facts import closed, opened, origin

SUBJECT = "evt.campaign.c1"


@dataclass(frozen=True)
class _Campaign:
    names: tuple[str, ...] = ()
    over: bool = False


class _Doorkeeper:
    """Opens a name once, `close` closes, then everything is refused."""

    def initial(self) -> _Campaign:
        return _Campaign()

    def evolve(self, state: _Campaign, event: DomainEvent) -> _Campaign:
        if isinstance(event, CampaignOpened):
            return _Campaign((*state.names, event.name), state.over)
        return _Campaign(state.names, over=isinstance(event, CampaignClosed))

    def decide(self, state: _Campaign, command: str) -> list[DomainEvent] | Refusal:
        if state.over:
            return Refusal(code="closed", message="It is closed.")
        if command == "close":
            return [closed()]
        return [] if command in state.names else [opened(command)]


DOOR = _Doorkeeper()


async def test_a_command_is_decided_on_the_whole_history(log: EventLog) -> None:
    """State, sequence and events of the answer are those of the log."""
    first = await handle(log, DOOR, SUBJECT, "a", origin())
    second = await handle(log, DOOR, SUBJECT, "b", origin())
    assert first == Handled(1, (opened("a"),), _Campaign(("a",)))
    assert second == Handled(2, (opened("b"),), _Campaign(("a", "b")))


async def test_where_nothing_is_left_to_do_nothing_is_appended(log: EventLog) -> None:
    """The answer names the last commit and no events."""
    await handle(log, DOOR, SUBJECT, "a", origin())
    assert await handle(log, DOOR, SUBJECT, "a", origin()) == Handled(1, (), _Campaign(("a",)))
    assert (await log.bounds()).last_seq == 1


async def test_a_refusal_changes_nothing(log: EventLog) -> None:
    """A domain no is an answer, not an error."""
    await handle(log, DOOR, SUBJECT, "close", origin())
    answer = await handle(log, DOOR, SUBJECT, "a", origin())
    assert isinstance(answer, Refusal)
    assert answer.code == "closed"
    assert (await log.bounds()).last_seq == 1


async def test_a_command_that_comes_again_is_answered_with_its_commit(log: EventLog) -> None:
    """Even when it would be refused by now."""
    cause = origin()
    first = await handle(log, DOOR, SUBJECT, "a", cause)
    await handle(log, DOOR, SUBJECT, "close", origin())
    again = await handle(log, DOOR, SUBJECT, "a", cause)
    assert isinstance(first, Handled)
    assert isinstance(again, Handled)
    assert (again.seq, again.events) == (first.seq, first.events)
    assert again.state.over


async def test_commands_at_the_same_time_are_all_carried_out(
    servers: Servers, log: EventLog, connected: Connect
) -> None:
    """Thirty commands over two connections: each name stands once, in some order."""
    logs = [log, EventLog(await connected(servers.nodes[-1].url))]
    names = [f"n{number // 2}" for number in range(30)]
    await asyncio.gather(
        *(handle(logs[n % 2], DOOR, SUBJECT, name, origin(), attempts=60) for n, name in enumerate(names))
    )
    events = [record.event for commit in await log.load(SUBJECT) for record in commit.events]
    assert sorted(event.name for event in events if isinstance(event, CampaignOpened)) == sorted(set(names))


async def test_one_command_sent_many_times_at_once_is_one_commit(log: EventLog) -> None:
    """All senders get the same sequence."""
    cause = origin()
    answers = await asyncio.gather(*(handle(log, DOOR, SUBJECT, "a", cause) for _ in range(10)))
    assert {answer.seq for answer in answers if isinstance(answer, Handled)} == {1}
    assert (await log.bounds()).last_seq == 1


async def test_who_is_always_too_late_is_told_in_the_end(log: EventLog, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its attempts the error of the last one comes through."""
    honest = EventLog.append

    async def overtaken(self: EventLog, subject: str, events: list[DomainEvent], **more: object) -> int:
        await self.append_journal(subject, [opened("rival")], origin=origin())
        return await honest(self, subject, events, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(EventLog, "append", overtaken)
    with pytest.raises(WrongVersionError):
        await handle(log, DOOR, SUBJECT, "a", origin(), attempts=3)
    assert (await log.bounds()).last_seq == 3
