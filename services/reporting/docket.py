"""Hits and what they are judged to be, in tables: whom a batch concerns is loaded, judged and written back as a whole.

A verdict depends on the other hits of its recipient, on when the mail was accepted, and on how crowded its second was.
So a recipient is judged again whenever one of these changes, and sums change by the difference: however the log is cut
into batches, the tables are the same. Hits that name nobody (`anonymous`) are judged each by itself. Of one recipient a
bounded number of hits is kept (`Rules.most`): a link that is asked for without end costs no more than that.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert
from services.reporting.deliveries import Times, times_of
from shared.bulk import fetch
from shared.contracts.verdicts import ANY_CLICK, OPENS, RULES, TALLIES, Fact, Judged, Rules, crowd_of, judge
from shared.database import is_postgresql
from shared.tokens import ANONYMOUS

Who = tuple[str, int, int]
"""Mailing, chunk and place."""

_IN_ONE = 500
_H = tables.hits.c
_KEEP = Upsert(
    tables.hits,
    ("mailing", "n", "idx", "id", "link", "at", "method", "agent", "network", "crowd", "verdict", "reason"),
    {"verdict": "replace", "reason": "replace"},
)
_SUMS = (*TALLIES, "people", "others")
_COUNT = Upsert(tables.link_counts, ("mailing", "link", *_SUMS), dict.fromkeys(_SUMS, "add"))
_KINDS = ("opens", "clicks", "others")
_POINT = Upsert(tables.hit_points, ("mailing", "second", *_KINDS), dict.fromkeys(_KINDS, "add"))
_LOAD = (
    "SELECT n, idx, id, link, at, method, agent, network, verdict, reason FROM judged_hits WHERE mailing = %s AND %s"
)


@dataclass(slots=True)
class _Case:
    """One recipient: the facts, and how they were judged before."""

    facts: dict[str, Fact] = field(default_factory=dict)
    before: dict[str, Judged] = field(default_factory=dict)


class Docket:
    """Whom one transaction concerns; it has its turn (`in_turn`)."""

    def __init__(self, conn: AsyncConnection, rules: Rules = RULES) -> None:
        self._conn = conn
        self._rules = rules
        self._cases: dict[Who, _Case] = {}
        self._rows: list[tuple[object, ...]] = []
        self._sums: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)
        self._points: defaultdict[tuple[str, int], Counter[str]] = defaultdict(Counter)

    async def judge(self, told: Mapping[Who, Mapping[str, Fact]], again: Collection[Who] = ()) -> None:
        """Take in the hits that are new, and judge anew whom they concern, and those in `again`."""
        anonymous = {who for who in told if who[2] == ANONYMOUS}
        await self._load({*told, *again} - anonymous)
        new = [(who[0], crowd) for who in told.keys() - anonymous for crowd in self._add(who, told[who])]
        crowds = await self._crowds(Counter(new))
        times = await times_of(self._conn, {who[:2] for who in self._cases})
        for who, case in self._cases.items():
            self._judged(who, case, judge(case.facts, _accepted(times, who), crowds[who[0]], self._rules))
        for who in anonymous:
            await self._each(who, told[who])
        await self._write()

    async def judge_again(self, mailing: str, after: tuple[int, int], limit: int) -> list[Who]:
        """Judge those behind `after` by the rules of this docket, at most `limit`; return who they were."""
        place = tuple_(_H.n, _H.idx)
        some = (_H.mailing == mailing, _H.idx != ANONYMOUS, place > tuple_(*after))
        query = select(_H.n, _H.idx).where(*some).distinct().order_by(_H.n, _H.idx).limit(limit)
        found = [(mailing, n, index) for n, index in await self._conn.execute(query)]
        await self.judge({}, found)
        return found

    async def _load(self, wanted: Iterable[Who]) -> None:
        by_mailing: defaultdict[str, list[Who]] = defaultdict(list)
        for who in sorted(wanted):
            self._cases[who] = _Case()
            by_mailing[who[0]].append(who)
        given = "$1" if is_postgresql(self._conn) else "?"
        for mailing, all_of_it in by_mailing.items():
            for start in range(0, len(all_of_it), _IN_ONE):
                places = ", ".join(f"({n:d}, {index:d})" for _, n, index in all_of_it[start:][:_IN_ONE])
                query = _LOAD % (given, f"(n, idx) IN (VALUES {places})")
                rows = await fetch(self._conn, query, (mailing,))
                for n, index, name, link, at, method, agent, network, *judged in rows:
                    case = self._cases[mailing, n, index]
                    case.facts[name] = Fact(link, at, method, agent, network)
                    case.before[name] = Judged(*judged)

    def _add(self, who: Who, told: Mapping[str, Fact]) -> Iterator[str]:
        """Add the facts that are new to a case; yield the crowds they belong to."""
        facts = self._cases[who].facts
        for name, fact in told.items():
            if name not in facts and len(facts) < self._rules.most:
                facts[name] = fact
                if crowd := crowd_of(fact):
                    yield crowd

    async def _crowds(self, new: Counter[tuple[str, str]]) -> dict[str, set[str]]:
        """Return the crowds of each mailing; whoever stood in one before it became one is judged again."""
        crowds: dict[str, set[str]] = {who[0]: set() for who in self._cases}
        for mailing, found in crowds.items():
            members: set[Who] = set()
            for crowd, count in (await self._counted(mailing, self._cases)).items():
                fresh = new[mailing, crowd]
                if count + fresh >= self._rules.crowd:
                    found.add(crowd)
                    if count < self._rules.crowd:
                        members |= await self._members(mailing, crowd)
            others = members - self._cases.keys()
            await self._load(others)
            for crowd, count in (await self._counted(mailing, others)).items():
                if count >= self._rules.crowd:
                    found.add(crowd)
        return crowds

    async def _counted(self, mailing: str, whose: Iterable[Who]) -> dict[str, int]:
        """Return how many stored hits there are in each crowd that these recipients stand in."""
        facts = (fact for who in whose if who[0] == mailing for fact in self._cases[who].facts.values())
        names = sorted({crowd for fact in facts if (crowd := crowd_of(fact))})
        counts = dict.fromkeys(names, 0)
        for start in range(0, len(names), _IN_ONE):
            some = (_H.mailing == mailing, _H.crowd.in_(names[start:][:_IN_ONE]))
            rows = await self._conn.execute(select(_H.crowd, func.count()).where(*some).group_by(_H.crowd))
            counts |= {crowd: count for crowd, count in rows}  # noqa: C416 - rows are no pairs to mypy
        return counts

    async def _members(self, mailing: str, crowd: str) -> set[Who]:
        query = select(_H.n, _H.idx).where(_H.mailing == mailing, _H.crowd == crowd).distinct()
        return {(mailing, n, index) for n, index in await self._conn.execute(query)}

    async def _each(self, who: Who, told: Mapping[str, Fact]) -> None:
        """Judge hits that name nobody."""
        known: set[str] = set()
        names = sorted(told)
        for start in range(0, len(names), _IN_ONE):
            same = (_H.mailing == who[0], _H.n == who[1], _H.idx == who[2], _H.id.in_(names[start:][:_IN_ONE]))
            known |= set(await self._conn.scalars(select(_H.id).where(*same)))
        for name in told.keys() - known:
            facts = {name: told[name]}
            self._judged(who, _Case(facts), judge(facts, None, rules=self._rules))

    def _judged(self, who: Who, case: _Case, after: Mapping[str, Judged]) -> None:
        """Note what changes."""
        before = case.before
        if before == after:
            return
        for name, judged in after.items():
            if before.get(name) != judged:
                fact = case.facts[name]
                crowd = None if who[2] == ANONYMOUS else crowd_of(fact)
                self._rows.append((*who, name, *fact, crowd, *judged))
        self._sum(who, case.facts, before, -1)
        self._sum(who, case.facts, after, 1)

    def _sum(self, who: Who, facts: Mapping[str, Fact], verdicts: Mapping[str, Judged], sign: int) -> None:
        present: dict[int, bool] = {}
        for name, judged in verdicts.items():
            fact, counts = facts[name], judged.counts
            for link in links_of(fact.link):
                self._sums[who[0], link][judged.tally] += sign
                present[link] = present.get(link, False) or counts
            kind = "others" if not counts else "opens" if fact.link == OPENS else "clicks"
            self._points[who[0], fact.at // 1000][kind] += sign
        for link, counts in present.items() if who[2] != ANONYMOUS else ():
            self._sums[who[0], link]["people" if counts else "others"] += sign

    async def _write(self) -> None:
        await _KEEP.run(self._conn, self._rows)
        await _COUNT.run(self._conn, [(*key, *(sums[name] for name in _SUMS)) for key, sums in self._sums.items()])
        points = [(*key, *(kinds[name] for name in _KINDS)) for key, kinds in self._points.items()]
        await _POINT.run(self._conn, points)


def links_of(link: int) -> tuple[int, ...]:
    """Return the links as which a hit counts: a click counts as one of its mail, too."""
    return (link,) if link < 0 else (link, ANY_CLICK)


def _accepted(times: Times, who: Who) -> int | None:
    row = times.get(who[:2], ())
    at = row[who[2]] if who[2] < len(row) else 0
    return at if at > 0 else None  # neither accepted nor at a time that somebody knows
