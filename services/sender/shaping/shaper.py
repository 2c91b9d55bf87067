"""Listens to what relays say, and records what follows from it: slower, not to this provider, not over this account.

Replies come in from the workers, results of windows; events on evt.relay.<account> go out, decided on the entity, so
that of several senders one says it. The gates of all senders follow from there. Where the log does not answer, nothing
is recorded, and the next reply of the kind brings it again.
"""

import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.sender import metrics
from services.sender.chunks.rows import Rows
from services.sender.replies.reply import Phase, classify
from services.sender.replies.scrub import scrub
from services.sender.shaping.relay import Command, PauseAccount, SlowProvider, SuspendProvider
from services.sender.shaping.rules import Ear, Rule, Said, Strike
from services.sender.smtp.offers import OURS
from services.sender.smtp.window import Result
from shared.clock import now
from shared.contracts.subjects import ChunkRef
from shared.eventlog.errors import EventLogError, WrongVersionError
from shared.providers import BUILT_IN, Providers

logger = logging.getLogger(__name__)

OBSERVED = 10.0
"""Seconds over which it is counted how much goes out."""
CALM = 5.0
"""Seconds within which further strikes of a rule are the same burst."""

Say = Callable[[str, Command], Awaitable[None]]
"""Carries out a command on `evt.relay.<account>`."""


@dataclass(slots=True)
class Flow:
    """How many mails a lane had answered lately."""

    began: datetime
    answered: deque[tuple[datetime, int]] = field(default_factory=deque)

    def add(self, at: datetime, count: int) -> None:
        """Count a window."""
        self.answered.append((at, count))
        while self.answered[0][0] < at - timedelta(seconds=OBSERVED):
            self.answered.popleft()

    def per_hour(self, at: datetime) -> int:
        """Return the mails an hour at the pace of the last seconds."""
        seconds = min(max((at - self.began).total_seconds(), 1.0), OBSERVED)
        return round(sum(count for _, count in self.answered) / seconds * 3600)


@dataclass(slots=True)
class Shaper:
    """See the module."""

    rules: Sequence[Rule]
    say: Say
    providers: Providers = BUILT_IN
    ears: dict[str, Ear] = field(default_factory=dict)
    flows: dict[tuple[str, str], Flow] = field(default_factory=dict)
    calm: dict[tuple[str, str, str], datetime] = field(default_factory=dict)

    async def heard(self, ref: ChunkRef, results: Iterable[Result], rows: Rows) -> None:
        """Take in what came back for mails of a chunk, and say what follows."""
        at = now()
        refused: list[Result] = []
        answered = 0
        for result in results:
            if result.phase != Phase.NOT_SENT and result.code:
                answered += 1
                if result.code >= 400 and result.reason != OURS:
                    refused.append(result)
        flow = self.flows.setdefault((ref.account, ref.lane), Flow(at))
        if answered:
            flow.add(at, answered)
        for said in _said(self.providers, ref, refused, rows):
            ear = self.ears.setdefault(ref.account, Ear(self.rules))
            strike = ear.hear(said, at)
            if strike is not None:
                await self._strike(ref.account, strike, flow.per_hour(at))

    async def _strike(self, account: str, strike: Strike, observed: int) -> None:
        burst = (account, strike.provider, strike.rule.name)
        if self.calm.get(burst, strike.at) > strike.at:
            return
        self.calm[burst] = strike.at + timedelta(seconds=CALM)
        metrics.struck(strike.rule.action)
        who = {"account": account, "provider": strike.provider, "rule": strike.rule.name}
        logger.warning("%s: %d %s", strike.rule.action, strike.said.code, strike.said.enhanced, extra=who)
        try:
            await self.say(account, _order(strike, observed))
        except (EventLogError, WrongVersionError) as error:  # heard again, it is said again
            self.calm.pop(burst, None)
            logger.warning("shaping was not recorded: %s", error, extra=who)


def _said(providers: Providers, ref: ChunkRef, refused: Sequence[Result], rows: Rows) -> Iterable[Said]:
    """Yield the replies without what is ours: the address is taken out of the words."""
    for result in refused:
        row = rows[result.index]
        text = scrub(result.text, row.address)
        kind = classify(result.phase, result.code, result.enhanced, text).kind
        yield Said(providers.of_mail(ref.lane, row.address, row.provider), result.code, result.enhanced, text, kind)


def _order(strike: Strike, observed: int) -> Command:
    rule, said = strike.rule, strike.said
    match rule.action:
        case "pause":
            text = f"{said.code} {said.enhanced}".strip()
            return PauseAccount(f"{rule.name}: the relay says {text} {said.text}"[:500])
        case "slow":
            return SlowProvider(
                strike.provider, rule.name, strike.at, observed, rule.per_hour, step=rule.seconds, calm=CALM
            )
        case _:
            return SuspendProvider(strike.provider, rule.name, strike.at, strike.until)
