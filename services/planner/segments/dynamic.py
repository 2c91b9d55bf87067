"""Dynamic lists: lists with a rule, and what a rule finds now.

A list holds who was put on it and whom its rule finds. `known` reads a rule together with the rules of the lists it
names; a list that would be looked for in itself is refused. `settled` makes members of whom the rules find, before an
audience is frozen: under an id beside that of the list, in short transactions, so whoever reads members reads them the
same way whether a rule or a person put them there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import and_, delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience import outcomes
from services.planner.contacts import lists, search
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.lists import LIST_RULES, MEMBERS
from services.planner.contacts.search import SEARCH
from services.planner.contacts.search_text import MOMENTS, WELL_KNOWN
from services.planner.schema import insert
from services.planner.segments.finding import Finder, NamedList
from services.planner.segments.grammar import MOST_CONDITIONS, RuleError, parse
from services.planner.segments.rule import OnList, Rule, conditions, fields_in, lists_in
from shared.contracts.commands import Refusal
from shared.database import in_turn, is_postgresql, reading
from shared.ids import derived_id

PAGE = 5_000
_DEEPEST = 10
_ALWAYS = frozenset((*WELL_KNOWN, *MOMENTS, "kind"))


class UnreadableRuleError(RuntimeError):
    """A list has a rule that this program cannot read."""


@dataclass(frozen=True, slots=True)
class Known:
    """A rule that can be asked: the tree, and every list it names, those that these name among them."""

    rule: Rule
    lists: Mapping[str, NamedList]

    def finder(self, conn: AsyncConnection, *, paged: bool = False) -> Finder:
        """Return what makes SQL of it."""
        return Finder(is_postgresql(conn), self.lists, paged)


async def known(conn: AsyncConnection, text: str, today: date, of: str = "") -> Known | Refusal:
    """Read a rule, that of the list with the id `of` where it is one's."""
    found: dict[str, NamedList] = {}
    try:
        rule = parse(text, today)
        refusal = await _look_up(conn, rule, today, found, (of,) if of else ())
    except RuleError as error:  # refused with its place
        return Refusal(code="rule_invalid", message=f"{error}.", field="rule", line=error.line)
    if refusal is not None:
        return refusal
    if _size(rule, found) > MOST_CONDITIONS:
        message = f"With the rules of the lists it names it has more than {MOST_CONDITIONS} conditions."
        return Refusal(code="rule_too_large", message=message, field="rule")
    return Known(rule, found)


def _size(rule: Rule, found: Mapping[str, NamedList]) -> int:
    """Return how many conditions it is to ask for a rule, those of the lists it names with each place they stand."""
    sizes: dict[str, int] = {}

    def size(rule: Rule) -> int:
        return sum(1 + (of_list(each.list) if isinstance(each, OnList) else 0) for each in conditions(rule))

    def of_list(name: str) -> int:
        if name not in sizes:
            below = found[name].rule
            sizes[name] = 0 if below is None else size(below)
        return sizes[name]

    return size(rule)


async def _look_up(
    conn: AsyncConnection, rule: Rule, today: date, found: dict[str, NamedList], above: tuple[str, ...]
) -> Refusal | None:
    """Find the lists of a rule and of their rules; `above` are those it is looked up for."""
    for wanted in lists_in(rule):
        ids, _ = await lists.resolve(conn, [wanted])
        if not ids:
            return Refusal(code="list_unknown", message=f"There is no list {wanted}.", field="rule")
        if ids[0] in above:
            message = f"The list {wanted} would be looked for in itself."
            return Refusal(code="list_in_itself", message=message, field="rule")
        if wanted in found:
            continue
        if len(above) > _DEEPEST:
            message = f"Lists with rules that name lists with rules go deeper than {_DEEPEST}."
            return Refusal(code="rule_too_large", message=message, field="rule")
        text = await conn.scalar(select(LIST_RULES.c.rule).where(LIST_RULES.c.list == ids[0]))
        below = parse(text, today) if text else None
        found[wanted] = NamedList(ids[0], below)
        if below is not None and (refusal := await _look_up(conn, below, today, found, (*above, ids[0]))):
            return refusal
    return None


async def unknown_fields(conn: AsyncConnection, rule: Rule) -> list[str]:
    """Return the fields a rule names that no contact has: most likely a slip."""
    have = await lists.all_fields(conn) | _ALWAYS
    return [field for field in fields_in(rule) if field not in have]


async def count(conn: AsyncConnection, asked: Known) -> int:
    """Return how many contacts a rule finds."""
    where = asked.finder(conn).where(asked.rule)
    return int(await conn.scalar(select(func.count()).select_from(SEARCH).where(where)) or 0)


async def page(conn: AsyncConnection, asked: Known, after: str, limit: int) -> list[dict[str, Any]]:
    """Return some of the contacts a rule finds, by their id, those behind the id `after`."""
    s, c = SEARCH.c, CONTACTS.c
    where = asked.finder(conn, paged=True).where(asked.rule)
    some = select(s.contact).where(s.contact > after, where).order_by(s.contact).limit(limit).subquery()
    rows = await conn.execute(
        select(c.id, c.address, c.name).join(some, some.c.contact == c.id).order_by(some.c.contact)
    )
    return [{"contact": row.id, "address": row.address, "name": row.name} for row in rows]


async def put(conn: AsyncConnection, list_id: str, rule: str) -> None:
    """Give a list a rule, or take its rule away."""
    if rule:
        give = insert(conn, LIST_RULES).values(list=list_id, rule=rule)
        taken = {"rule": give.excluded.rule}
        await conn.execute(give.on_conflict_do_update(index_elements=[LIST_RULES.c.list], set_=taken))
    else:
        await conn.execute(delete(LIST_RULES).where(LIST_RULES.c.list == list_id))


def found_id(list_id: str) -> str:
    """Return the id under which stands whom the rule of a list found."""
    return derived_id("found", list_id)


async def settled(engine: AsyncEngine, wanted: Sequence[str], today: date) -> dict[str, str]:
    """Make members of whom the rules of lists find today; return the ids under which they stand -> their list.

    Raises:
        UnreadableRuleError: A rule cannot be read.
    """
    async with reading(engine).connect() as conn:
        rules = await conn.execute(
            select(LIST_RULES.c.list, LIST_RULES.c.rule)
            .where(LIST_RULES.c.list.in_(wanted))
            .order_by(LIST_RULES.c.list)
        )
        found = {str(row.list): await known(conn, row.rule, today, row.list) for row in rules}
    if found:
        await search.freshen(engine)
        await outcomes.freshen(engine)
    for list_id, asked in found.items():
        if isinstance(asked, Known):
            await _settle(engine, found_id(list_id), asked)
        else:  # it was looked at when it was given: this program knows less than the one that did
            raise UnreadableRuleError(f"the rule of list {list_id} cannot be read: {asked.message}")
    return {found_id(list_id): list_id for list_id in found}


async def _settle(engine: AsyncEngine, under: str, asked: Known) -> None:
    s, m = SEARCH.c, MEMBERS.c
    first = ""
    while True:
        async with engine.begin() as conn:
            await in_turn(conn, f"found.{under}")
            some = select(s.contact).where(s.contact > first).order_by(s.contact).limit(PAGE).subquery()
            last = await conn.scalar(select(func.max(some.c.contact)))
            if last is None:
                await conn.execute(delete(MEMBERS).where(m.list == under, m.contact > first))
                return
            finds = and_(s.contact > first, s.contact <= last, asked.finder(conn, paged=True).where(asked.rule))
            here = and_(m.list == under, m.contact > first, m.contact <= last)
            await conn.execute(delete(MEMBERS).where(here, m.contact.not_in(select(s.contact).where(finds))))
            add = insert(conn, MEMBERS).from_select(["list", "contact"], select(literal(under), s.contact).where(finds))
            await conn.execute(add.on_conflict_do_nothing())
        first = str(last)
