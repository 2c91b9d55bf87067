"""What became of each mail, as rows that can be asked: who got it, who read it, who left, and when.

`RESULTS` is a cache of the facts (`outcome_facts`), one row a recipient of a planned chunk. `freshen` brings it up to
them: the chunks that changed since the last time, in short transactions; whoever is about to ask `results()` calls it
first. Opened and clicked is what a person did, by the rules of reports. A cache that is emptied fills itself again.

It is remembered by which rules the rows were judged. By others, all hits are judged anew the first time somebody asks:
some chunks a transaction, from where it was broken off, and each row is as it was until its turn comes.
"""

import logging
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
from sqlalchemy import BigInteger, Column, Index, Integer, Select, String, Table, delete, func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience.outcome_facts import HITS, OPTED_OUT, OUTCOMES, RECIPIENTS, SIGNS, TOUCHED, UNTIMED, Key
from services.planner.schema import METADATA, insert, portions, rows_in
from shared.bulk import append_rows
from shared.contracts.outcomes import ACCEPTED, DEFERRED, IN_DOUBT, NAMES, OUTCOME, PENDING
from shared.contracts.verdicts import OPENS, RULES, Fact, Rules, judge
from shared.database import in_turn, reading

logger = logging.getLogger(__name__)

_TIMES = ("opened_at", "clicked_at", "unsubscribed_at", "bounced_at", "complained_at")


def _index(name: str) -> Index:
    """Return the index that holds only the few to whom it happened."""
    column = RESULTS.c[name]
    some = column.is_not(None)
    return Index(f"results_{name}", column, RESULTS.c.contact, sqlite_where=some, postgresql_where=some)


RESULTS = Table(
    "results",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("idx", Integer, primary_key=True),
    Column("contact", String(12), nullable=False),
    Column("outcome", String(12), nullable=False),
    Column("settled_at", BigInteger),
    *(Column(name, BigInteger) for name in _TIMES),
    Index("results_settled_at", "settled_at", "contact"),
    sqlite_with_rowid=False,
)
for _name in _TIMES:
    _index(_name)
FRESH = Table(
    "results_fresh",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("rules", Integer, nullable=False, server_default="0"),
    Column("mailing", String(24)),
    Column("n", Integer),
)
"""Up to which sequence of `facts_touched` the rows are made, and by which version of the rules they are judged.

While `mailing` and `n` name a chunk, this holds only up to there and for what was made since; NULL: for all of them.
"""

SLICE = 20


def results() -> Select[Any]:
    """Return the query for all of them: contact, mailing, outcome, and times as seconds since 1970 or NULL.

    `outcome` is one of `shared.contracts.outcomes.NAMES`; `settled_at` is NULL while it is pending.
    """
    r = RESULTS.c
    return select(r.contact, r.mailing, r.outcome, r.settled_at, *(r[name] for name in _TIMES))


class _Mark(NamedTuple):
    """The row of `FRESH`."""

    seq: int
    rules: int
    mailing: str | None = None
    n: int | None = None

    def all_by(self, rules: Rules) -> bool:
        """Whether all rows are judged by these rules."""
        return self.rules == rules.version and self.mailing is None

    def towards(self, rules: Rules) -> "_Mark":
        """Return the mark of who judges by these rules: where they are new, none of the rows is judged by them yet."""
        return self if self.rules == rules.version else _Mark(self.seq, rules.version, "", -1)


async def freshen(engine: AsyncEngine, upto: int | None = None, rules: Rules = RULES) -> None:
    """Bring the rows up to the facts, or at least to what they hold up to a sequence: facts may change for hours.

    All of them are judged by the rules afterwards, unless a planner of another version is at work on the same rows.
    """
    while await _slice(engine, upto, rules):
        pass
    await _judge_anew(engine, rules)


async def _slice(engine: AsyncEngine, bound: int | None, rules: Rules) -> bool:
    """Make the rows of the chunks that changed next; False where none did."""
    t = TOUCHED.c
    async with reading(engine).connect() as conn:
        since = (await _read(conn, rules)).seq
        behind = [t.seq > since, *([t.seq <= bound] if bound is not None else [])]
        if await conn.scalar(select(t.seq).where(*behind).limit(1)) is None:
            return False
    async with engine.begin() as conn:
        await in_turn(conn, "results")
        mark = (await _read(conn, rules)).towards(rules)
        few = select(t.seq).where(t.seq > mark.seq).order_by(t.seq).limit(SLICE).subquery()
        upto = int(await conn.scalar(select(func.max(few.c.seq))) or mark.seq)
        changed = (await conn.execute(select(t.mailing, t.n).where(t.seq > mark.seq, t.seq <= upto))).all()
        await _make_all(conn, changed, rules)
        await _write(conn, mark._replace(seq=upto))
    return True


async def _judge_anew(engine: AsyncEngine, rules: Rules) -> None:
    """Judge all hits by these rules, from where somebody left off; rows without hits are the same by any.

    Where a planner of another version has begun as well, this one leaves it to that one, or neither would ever end.
    Whichever of them is asked later begins anew, as long as the rows are not all judged by its own rules.
    """
    begun = False
    while True:
        async with reading(engine).connect() as conn:
            mark = await _read(conn, rules)
        if mark.all_by(rules):
            if begun:
                logger.info("hits are judged by the rules of this version", extra={"rules": rules.version})
            return
        if begun and mark.rules != rules.version:
            logger.warning("a planner of another version judges hits by its own rules", extra={"rules": mark.rules})
            return
        begun = True
        await _page(engine, rules)


async def _page(engine: AsyncEngine, rules: Rules) -> None:
    """Judge the hits of the next chunks."""
    place = HITS.c.mailing, HITS.c.n
    async with engine.begin() as conn:
        await in_turn(conn, "results")
        mark = (await _read(conn, rules)).towards(rules)
        if mark.mailing is None:  # somebody else was faster
            return
        query = select(*place).where(tuple_(*place) > tuple_(mark.mailing, mark.n)).distinct()
        found = (await conn.execute(query.order_by(*place).limit(SLICE))).all()
        await _make_all(conn, found, rules)
        mailing, n = found[-1] if len(found) == SLICE else (None, None)
        await _write(conn, mark._replace(mailing=mailing, n=n))


async def _read(conn: AsyncConnection, rules: Rules) -> _Mark:
    """Return the mark; without one there are no rows, so all of them are judged by these rules."""
    f = FRESH.c
    row = (await conn.execute(select(f.seq, f.rules, f.mailing, f.n))).one_or_none()
    return _Mark(0, rules.version) if row is None else _Mark(*row)


async def _write(conn: AsyncConnection, mark: _Mark) -> None:
    put = insert(conn, FRESH).values(one=1, **mark._asdict())
    changed = {name: put.excluded[name] for name in _Mark._fields}
    await conn.execute(put.on_conflict_do_update(index_elements=["one"], set_=changed))


async def _make_all(conn: AsyncConnection, chunks: Iterable[Sequence[Any]], rules: Rules) -> None:
    by_mailing: defaultdict[str, set[int]] = defaultdict(set)
    for mailing, n in chunks:
        by_mailing[mailing].add(int(n))
    for mailing, numbers in by_mailing.items():
        await _make(conn, mailing, numbers, rules)


@dataclass(slots=True)
class _Person:
    """What is known of one recipient beside the outcome."""

    facts: dict[str, Fact] = field(default_factory=dict)
    signs: dict[str, tuple[int, int]] = field(default_factory=dict)


async def _make(conn: AsyncConnection, mailing: str, numbers: set[int], rules: Rules) -> None:
    people: defaultdict[Key, _Person] = defaultdict(_Person)
    crowds = await _hits(conn, mailing, numbers, people, rules)
    beside = await _beside(conn, mailing, crowds) - numbers
    if beside:  # who stood in a crowd before it was one
        crowds |= await _hits(conn, mailing, beside, people, rules)
    chunks = sorted(numbers | beside)
    for part in portions(chunks):
        await _signs(conn, mailing, part, people)
        o, r = OUTCOMES.c, RECIPIENTS.c
        query = select(o.n, r.contacts, o.states, o.at).join(RECIPIENTS, (r.mailing == o.mailing) & (r.n == o.n))
        found = (await conn.execute(query.where(o.mailing == mailing, o.n.in_(part)))).all()
        await conn.execute(delete(RESULTS).where(RESULTS.c.mailing == mailing, RESULTS.c.n.in_(part)))
        for n, contacts, states, at in found:
            rows = _rows((mailing, int(n)), orjson.loads(contacts), bytes(states), array("q", bytes(at)))
            await append_rows(conn, RESULTS, list(_with(rows, people, crowds, rules)))


async def _hits(
    conn: AsyncConnection, mailing: str, numbers: Collection[int], people: dict[Key, _Person], rules: Rules
) -> set[str]:
    """Take in the hits of some chunks; return the crowds that they stand in."""
    h, wanted, names = HITS.c, sorted(numbers), set[str]()
    for part in portions(wanted):
        some = (h.mailing == mailing, h.n.in_(part))
        for _, n, index, name, *fact, crowd in await conn.execute(select(HITS).where(*some).order_by(h.at)):
            known = people[n, index].facts
            if len(known) < rules.most:
                known[name] = Fact(*fact)
            if crowd:
                names.add(crowd)
    return await _crowds(conn, mailing, names, rules)


async def _crowds(conn: AsyncConnection, mailing: str, names: Collection[str], rules: Rules) -> set[str]:
    h = HITS.c
    some = select(h.crowd).where(h.mailing == mailing).group_by(h.crowd).having(func.count() >= rules.crowd)
    return {crowd for (crowd,) in await rows_in(conn, some, h.crowd, names)}


async def _beside(conn: AsyncConnection, mailing: str, crowds: Collection[str]) -> set[int]:
    h = HITS.c
    return {n for (n,) in await rows_in(conn, select(h.n).where(h.mailing == mailing).distinct(), h.crowd, crowds)}


async def _signs(conn: AsyncConnection, mailing: str, numbers: Sequence[int], people: dict[Key, _Person]) -> None:
    s = SIGNS.c
    for _, n, index, kind, at, seq in await conn.execute(select(SIGNS).where(s.mailing == mailing, s.n.in_(numbers))):
        people[n, index].signs[kind] = at, seq


_Row = tuple[Any, ...]


def _rows(key: Key, contacts: Sequence[str], states: bytes, at: Sequence[int]) -> Iterator[_Row]:
    for index, contact in enumerate(contacts):
        yield *key, index, contact, states[index], at[index]


def _with(rows: Iterable[_Row], people: Mapping[Key, _Person], crowds: Collection[str], rules: Rules) -> Iterator[_Row]:
    """Yield rows of `RESULTS`."""
    for mailing, n, index, contact, byte, at in rows:
        state = byte & OUTCOME
        person = people.get((n, index))
        if person is None:
            yield mailing, n, index, contact, NAMES[state], _settled(state, at), None, None, None, None, None
            continue
        opened, clicked = _seen(person, at if state == ACCEPTED and not byte & UNTIMED else None, crowds, rules)
        signs = person.signs
        code = ACCEPTED if state == IN_DOUBT else state  # whoever gave a sign has got it
        complained, taken_back = signs.get("complaint"), signs.get("not-spam", (0, 0))
        stands = complained is not None and complained[1] > taken_back[1]
        yield (
            *(mailing, n, index, contact, NAMES[code], _settled(code, at)),
            *(opened, clicked, _seconds(signs.get(OPTED_OUT)), _seconds(signs.get("bounce"))),
            _seconds(complained) if stands else None,
        )


def _settled(state: int, at: int) -> int | None:
    return None if state in (PENDING, DEFERRED) else at // 1000


def _seen(
    person: _Person, accepted: int | None, crowds: Collection[str], rules: Rules
) -> tuple[int | None, int | None]:
    """Return when a person first opened the mail, and first clicked."""
    verdicts = judge(person.facts, accepted or None, crowds, rules)
    counted = [person.facts[name] for name, judged in verdicts.items() if judged.counts]
    opens = min((fact.at // 1000 for fact in counted if fact.link == OPENS), default=None)
    return opens, min((fact.at // 1000 for fact in counted if fact.link != OPENS), default=None)


def _seconds(sign: tuple[int, int] | None) -> int | None:
    return None if sign is None else sign[0] // 1000
