"""The lanes of this process: one for every account and lane that has work, opened as it appears, drained at the end."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from services.sender.accounts import Accounts
from services.sender.gates.gates import AccountGate
from services.sender.jobs.attend import Attendant
from services.sender.jobs.lane import Lane
from services.sender.jobs.waiting import waiting
from services.sender.journal.journal import Journal
from services.sender.shaping.relay import ReleaseAccount, ReleaseDue
from services.sender.smtp.line import Line
from shared.clock import boot_seconds, now
from shared.contracts import subjects
from shared.eventlog.follow import Follower
from shared.eventlog.reader import Reader
from shared.eventlog.timers import Timers

ALWAYS = (subjects.PROMPT, subjects.REST)
"""Open from the start; the lanes of large providers are opened when they first have work."""

LOOK = 1.0
"""Seconds between two looks at which lanes have work."""


@dataclass(slots=True)
class Lanes:
    """Keeps lanes open.

    Attributes:
        jobs: Reads JOBS, with little patience.
        watched: Has the process end with a task that fails.
    """

    accounts: Accounts
    attendant: Attendant
    timers: Timers
    jobs: Reader
    journals: Path
    watched: Callable[[asyncio.Task[None]], None]
    open: dict[tuple[str, str], asyncio.Task[None]] = field(default_factory=dict)
    slots: Iterator[int] = field(default_factory=itertools.count)

    async def keep(self, stopping: asyncio.Event, follower: Follower) -> None:
        """Open lanes as accounts appear; when the process is to end, let every lane drain."""
        wanted, looked = await waiting(self.jobs), boot_seconds()
        while not stopping.is_set():
            if boot_seconds() - looked >= LOOK:
                wanted, looked = await waiting(self.jobs), boot_seconds()
            for account in list(self.accounts.gates.accounts.values()):
                await self._release(account)
                for lane in (*ALWAYS, *(lane for of, lane in sorted(wanted) if of == account.account)):
                    if (account.account, lane) not in self.open:
                        task = asyncio.create_task(self._lane(account, lane).run())
                        self.watched(task)
                        self.open[account.account, lane] = task
            if follower.failure is not None:
                raise follower.failure
            try:
                await asyncio.wait_for(stopping.wait(), 0.2)
            except TimeoutError:
                continue
        self.attendant.draining.asked = True
        await asyncio.gather(*self.open.values(), return_exceptions=True)
        await asyncio.gather(*(each.close() for each in self.accounts.connections.values()))

    async def _release(self, account: AccountGate) -> None:
        """Say what of an account's troubles is over."""
        if account.released:
            cause, account.released = account.released, ""
            await self.accounts.say(account.account, ReleaseAccount(cause))
        if account.over(now()):
            await self.accounts.say(account.account, ReleaseDue(now()))

    def _lane(self, account: AccountGate, lane: str) -> Lane:
        accounts, attendant = self.accounts, self.attendant

        def new_line() -> Line:
            return Line(
                lambda: accounts.connect(account, lane),
                lambda: Journal.open(self.journals, accounts.worker, next(self.slots)),
                lambda: account.settings,
            )

        return Lane(
            log=accounts.log,
            account=account,
            lane=lane,
            new_line=new_line,
            most_lines=lambda: accounts.rules.connections(account.settings, lane),
            connections=accounts.shared(account),
            attendant=attendant,
            timers=self.timers,
            draining=attendant.draining,
            pause_account=accounts.pause,
            ack_wait=accounts.settings.ack_wait,
            breaker=accounts.breakers[account.account],
        )
