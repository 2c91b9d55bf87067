"""Limits of single domains in the lane `rest`: each process keeps its share of them, in memory.

A key in PACING for each domain would be a swap for each mail. So the senders share by number: of n, each keeps the n-th
part of the rate, and some of the connections; where these are fewer than senders, it goes by the name of the domain who
serves it. Whoever joins waits until all others know of it. A mail is counted when its envelope goes out (GCRA, with the
spacing of spacing.py), so how long a claim waits does not matter. Whose domain has no room stays unclaimed, and others
go on; chunks that have nobody else left come back one after the other.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from math import inf
from zlib import crc32

from services.sender.limits.spacing import Spacing

TURN = 0.5
"""Seconds that a chunk gets before the next one that waits for the same domain."""
ELSEWHERE = 1.0
"""Seconds after which a chunk comes back whose domain is left to other senders: one of them may pull it then."""
LONGEST = 600.0
KEPT = 10_000
"""So many domains at least are remembered; beyond that those are forgotten to which mail may go at once."""


@dataclass(frozen=True, slots=True)
class DomainLimit:
    """What holds for each domain by itself: None where there is no limit."""

    spacing: Spacing | None
    connections: int | None


@dataclass(frozen=True, slots=True)
class Share:
    """Which part is this process's: its rank among so many senders, from a server time on."""

    rank: int = 0
    senders: int = 1
    since: float = 0.0

    def interval(self, limit: DomainLimit) -> float:
        """Return the seconds from mail to mail, 0 where there is no rate."""
        if limit.spacing is None:
            return 0.0
        serving = self.senders if limit.connections is None else min(self.senders, limit.connections)
        return limit.spacing.interval * serving

    def connections(self, limit: DomainLimit, domain: str) -> float:
        """Return how many connections may carry mail for a domain."""
        if limit.connections is None:
            return inf
        each, more = divmod(limit.connections, self.senders)
        return each + ((self.rank + crc32(domain.encode())) % self.senders < more)


@dataclass(slots=True)
class _Domain:
    """One domain.

    Attributes:
        next: When the next mail is due at an even pace (the theoretical arrival time of GCRA).
        promised: Up to when chunks were told to come back.
        claimed: Mails claimed and not yet on the wire, by whose they are.
        carried: Mails claimed and not yet answered.
    """

    next: float = 0.0
    promised: float = 0.0
    claimed: Counter[int] = field(default_factory=Counter)
    carried: Counter[int] = field(default_factory=Counter)


@dataclass(slots=True)
class Domains:
    """The domains to which mail of one account goes; `whose` is the number of a worker."""

    share: Callable[[], Share]
    now: Callable[[], float]
    known: dict[str, _Domain] = field(default_factory=dict)
    most: int = KEPT

    def open(self, name: str, limit: DomainLimit, whose: int, before: int = 0) -> bool:
        """Tell whether one more mail may be claimed, behind `before` others of its claim."""
        share, now = self.share(), self.now()
        if now < share.since:
            return False
        domain = self.known.get(name, _NEW)
        if whose not in domain.carried and len(domain.carried) >= share.connections(limit, name):
            return False
        if limit.spacing is None:
            return True
        ahead = (domain.claimed.total() + before) * share.interval(limit)
        return max(domain.next, now) + ahead - limit.spacing.lateness <= now

    def claim(self, name: str, limit: DomainLimit, whose: int) -> bool:
        """Count a mail that is being claimed; False where there is no room after all."""
        if not self.open(name, limit, whose):
            return False
        domain = self._domain(name)
        domain.claimed[whose] += 1
        domain.carried[whose] += 1
        return True

    def depart(self, name: str, limit: DomainLimit, whose: int) -> bool:
        """Count a mail whose envelope goes out now; False where that would be too soon."""
        now, domain = self.now(), self._domain(name)
        if limit.spacing is not None:
            due = max(domain.next, now)
            if due - limit.spacing.lateness > now:
                return False
            domain.next = due + self.share().interval(limit)
        _less(domain.claimed, whose)
        return True

    def landed(self, name: str, whose: int, *, departed: bool) -> None:
        """Count a mail out that is no longer under way."""
        domain = self._domain(name)
        _less(domain.carried, whose)
        if not departed:
            _less(domain.claimed, whose)

    def left(self, names: Iterable[str], whose: int) -> None:
        """Count out all that a worker has under way to these domains."""
        for name in names:
            if (domain := self.known.get(name)) is not None:
                domain.claimed.pop(whose, None)
                domain.carried.pop(whose, None)

    def due(self, names: Iterable[str], limit: DomainLimit) -> float:
        """Return the server time at which who waits for any of these domains should come back."""
        share, now = self.share(), self.now()
        if now < share.since:
            return share.since
        at, first = min((self._free(name, limit, share), name) for name in names)
        self._domain(first).promised = at + max(TURN, share.interval(limit))
        return min(at, now + LONGEST)

    def _free(self, name: str, limit: DomainLimit, share: Share) -> float:
        """Return when a domain has room, behind those to whom that was promised."""
        now, room, domain = self.now(), share.connections(limit, name), self.known.get(name, _NEW)
        if room < 1:
            return now + ELSEWHERE
        free = now + TURN if len(domain.carried) >= room else now
        if limit.spacing is not None:
            ahead = domain.claimed.total() * share.interval(limit)
            free = max(free, max(domain.next, now) + ahead - limit.spacing.lateness)
        return max(free, domain.promised)

    def _domain(self, name: str) -> _Domain:
        if (domain := self.known.get(name)) is None:
            if len(self.known) >= self.most:
                now = self.now()
                self.known = {of: each for of, each in self.known.items() if each.carried or each.next > now}
                self.most = max(KEPT, 2 * len(self.known))
            domain = self.known[name] = _Domain()
        return domain


_NEW = _Domain()


def _less(counted: Counter[int], whose: int) -> None:
    counted[whose] -= 1
    if counted[whose] <= 0:
        del counted[whose]
