"""Whom rules find in a database is whom they find by their definition, on SQLite and on PostgreSQL."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Literal, get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.audience.outcomes import RESULTS
from services.planner.contacts import lists
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.incoming import pack_fields
from services.planner.contacts.lists import MEMBERS
from services.planner.contacts.search import SEARCH, searched
from services.planner.facts import SUPPRESSION
from services.planner.schema import METADATA
from services.planner.segments import dynamic
from services.planner.segments.dynamic import Known
from services.planner.segments.finding import NamedList
from services.planner.segments.rule import (
    Compare,
    Consent,
    Empty,
    Engaged,
    Every,
    How,
    Match,
    Not,
    OneOf,
    OnList,
    Rule,
    Some,
)
from shared.contracts.commands import Refusal
from shared.database import create_tables
from tests.harness.databases import Database
from tests.harness.segments import Person, finds

TODAY = date(2026, 11, 28)
_NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
_TABLES = (CONTACTS, SEARCH, MEMBERS, SUPPRESSION, RESULTS, lists.LISTS, lists.LIST_RULES)
_FIELDS = ("city", "City", "cit", "points", "x.y-z", "straße", "kind")
_TEXTS = (
    *(
        "Athens",
        "ATHENS",
        "athens\n",
        "Athen",
        "Straße",
        "STRASSE",
        "Αθήνα",
        "ΑΘΉΝΑ",
        "é",
        "e\u0301",
        "a\x1fb",
        "=",
        "#",
    ),
    *(
        "0",
        "7",
        "007",
        "-7",
        "-0",
        "7.0",
        "7.5",
        "-7.5",
        "1e3",
        "1,5",
        "999999999999999.999999",
        "12345678901234567",
        "7 ",
    ),
    *(
        "2026-11-28",
        "2026-11-28T09:00:00Z",
        "2026-02-30",
        "0001-01-01",
        "2026-11-281",
        "contact",
        "lead",
        "%",
        "_",
        "'",
        "\\",
    ),
)
_texts = st.one_of(st.sampled_from(_TEXTS), st.text(st.characters(codec="utf-8"), min_size=1, max_size=5))
_literals = _texts.filter(lambda text: text.strip() and "\0" not in text)
_names = st.sampled_from((*_FIELDS, "email", "domain", "name", "person.status"))
_lists = st.sampled_from(("Customers", "Readers", "Dynamic"))
_numbers = st.decimals(-1000, 1000, places=1) | st.sampled_from(
    [Decimal(0), Decimal(7), Decimal("999999999999999.999999")]
)
_days = st.dates(date(2025, 12, 30), date(2026, 1, 3)) | st.sampled_from([TODAY, date(1, 1, 1), date(9999, 12, 31)])
HOWS: tuple[How, ...] = get_args(How)
PARTS: tuple[Literal["contains", "starts", "ends"], ...] = ("contains", "starts", "ends")
_orders = st.sampled_from(HOWS)
_acts = st.sampled_from(("received", "opened", "clicked", "bounced", "complained", "unsubscribed"))
_mailings = st.sampled_from(("m1", "m2"))
_lately = st.dates(date(2026, 11, 25), date(2026, 11, 28))
_conditions = st.one_of(
    st.builds(Compare, _names, st.just("="), _literals),
    st.builds(Compare, _names, _orders, _numbers | _days),
    st.builds(Compare, st.just("created"), _orders, _days),
    st.builds(Match, _names, st.sampled_from(("contains", "starts", "ends")), _literals),
    st.builds(OneOf, _names, st.lists(_literals, min_size=1, max_size=7).map(tuple)),
    st.builds(Empty, _names),
    st.builds(OnList, _lists),
    st.builds(Engaged, _acts, st.just("") | _mailings, st.none() | _lately),
    st.builds(Consent, st.sampled_from(("opted_out", "suppressed", "unconfirmed")), st.just("") | _lists),
)
_rules = st.recursive(
    _conditions,
    lambda some: st.one_of(
        st.builds(Not, some),
        st.builds(Every, st.lists(some, min_size=1, max_size=3).map(tuple)),
        st.builds(Some, st.lists(some, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)
_people = st.lists(
    st.builds(
        Person,
        id=st.just(""),
        address=st.sampled_from(["Ann@x.example", "bob@MÜLLER.example", "c_d@sub.x.example"]),
        name=st.sampled_from(["", "Ann", "ANN", "Zoë"]),
        fields=st.dictionaries(st.sampled_from((*_FIELDS, "person.status")), _texts, max_size=4),
        status=_literals.map(str.strip) | st.just(""),
        lists=st.frozensets(st.sampled_from(("Customers", "Readers", "Dynamic"))),
        blocked=st.dictionaries(
            st.just("*") | _lists, st.sampled_from(("opted_out", "suppressed", "unconfirmed")), max_size=2
        ),
        results=st.lists(st.tuples(_mailings, _acts, _lately), max_size=3, unique_by=itemgetter(0)).map(tuple),
        created=st.integers(-86_400, 2 * 86_400).map(lambda after: _NEW_YEAR + timedelta(seconds=after)),
    ),
    min_size=1,
    max_size=8,
)


def test_databases_find_whom_a_rule_means(database: Database) -> None:
    """Random rules over random contacts: the database answers as the definition does, read at once and in pages."""
    with asyncio.Runner() as runner:
        engine = runner.run(database.fresh("planner"))
        runner.run(create_tables(engine, METADATA))

        async def check(people: Sequence[Person], rules: Sequence[Rule], of_list: Rule) -> None:
            async with engine.begin() as conn:
                await _put(conn, people)
                ids = {name: NamedList(lists.id_of(name)) for name in ("Customers", "Readers")}
                known = {**ids, "Dynamic": NamedList(lists.id_of("Dynamic"), of_list)}
                for rule in rules:
                    asked = Known(rule, known)
                    wanted = [who.id for who in people if finds(rule, who, {"Dynamic": of_list})]
                    assert [row["contact"] for row in await dynamic.page(conn, asked, "", 100)] == wanted
                    assert await dynamic.count(conn, asked) == len(wanted)

        @settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
        @given(people=_people, rules=st.lists(_rules, min_size=3, max_size=8), of_list=_conditions)
        def answers(people: list[Person], rules: list[Rule], of_list: Rule) -> None:
            numbered = [_numbered(place, who) for place, who in enumerate(people)]
            plain = Empty("cit") if isinstance(of_list, OnList) else of_list
            runner.run(check(numbered, rules, plain))

        answers()
        runner.run(engine.dispose())


async def test_every_comparison_of_every_value_is_as_defined(database: Database) -> None:
    """A contact for each value, a rule for each comparison with each: at every boundary the database says the same."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    people = [_numbered(n, Person("", "a@x.example", fields={"f": text})) for n, text in enumerate(_TEXTS)]
    texts = [text for text in _TEXTS if text.strip()]
    numbers = [Decimal(text) for text in ("0", "7", "-7", "7.5", "-7.5", "999999999999999.999999", "6.999999")]
    days = [date(2026, 11, 27), TODAY, date(1, 1, 1)]
    rules: list[Rule] = [Compare("f", "=", text) for text in texts]
    rules += [Compare("f", how, number) for how in HOWS for number in numbers]
    rules += [Compare("f", how, day) for how in HOWS for day in days]
    rules += [Match("f", how, text) for how in PARTS for text in texts]
    rules += [OneOf("f", tuple((texts + texts)[at : at + 5])) for at in range(len(texts))]
    async with engine.begin() as conn:
        await _put(conn, people)
        for rule in rules:
            wanted = [who.id for who in people if finds(rule, who, {})]
            found = [row["contact"] for row in await dynamic.page(conn, Known(rule, {}), "", 100)]
            assert found == wanted, rule
    await engine.dispose()


def _numbered(place: int, who: Person) -> Person:
    fields = {name: value.strip() for name, value in who.fields.items() if value.strip()}
    return replace(who, id=f"c{place:011d}", fields=fields)


async def _put(conn: AsyncConnection, people: Sequence[Person]) -> None:
    for table in _TABLES:
        await conn.execute(delete(table))
    for place, who in enumerate(people):
        fields, key = pack_fields(who.fields), f"{place:016x}"
        at = int(who.created.timestamp() * 1000)
        row = {"id": who.id, "address": who.address, "address_key": key, "provider": "", "name": who.name}
        more = {"fields": fields, "page": 0, "size": 1, "created": at, "updated": at}
        await conn.execute(CONTACTS.insert().values(row | more))
        text = searched(who.address, who.name, fields, who.status)
        await conn.execute(SEARCH.insert().values(contact=who.id, text=text))
        for mailing, act, day in who.results:
            at = int(datetime(day.year, day.month, day.day, 9, tzinfo=UTC).timestamp())
            where = {"mailing": mailing, "n": 0, "idx": place, "contact": who.id, "outcome": "rejected"}
            taken = {"outcome": "accepted", "settled_at": at}
            await conn.execute(RESULTS.insert().values(where | (taken if act == "received" else {f"{act}_at": at})))
        for name in who.lists:
            await conn.execute(MEMBERS.insert().values(list=lists.id_of(name), contact=who.id))
        for name, blocked in who.blocked.items():
            scope = "*" if name == "*" else lists.id_of(name)
            await conn.execute(SUPPRESSION.insert().values(address_key=key, scope=scope, blocked=blocked, seq=1))


async def _ruled(conn: AsyncConnection, rules: Mapping[str, str]) -> None:
    for name, rule in rules.items():
        await dynamic.put(conn, await lists.ensure(conn, name), rule)


async def _refused(conn: AsyncConnection, text: str, of: str = "") -> str:
    asked = await dynamic.known(conn, text, TODAY, lists.id_of(of) if of else "")
    return asked.code if isinstance(asked, Refusal) else ""


async def test_a_list_is_not_looked_for_in_itself(database: Database) -> None:
    """Neither directly nor by way of other lists; what is too much in sum is refused, too."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    async with engine.begin() as conn:
        await _ruled(conn, {"A": "on list 'B'", "B": "on list 'C'", "C": "city = 'x'"})
        assert await _refused(conn, "on list 'A'") == ""
        assert await _refused(conn, "on list 'A'", of="C") == "list_in_itself"
        assert await _refused(conn, "city = 'y' or on list 'C'", of="C") == "list_in_itself"
        assert await _refused(conn, "on list 'D'") == "list_unknown"
        assert await _refused(conn, "on list") == "rule_invalid"
        await _ruled(conn, {"Big": " or ".join(["on list 'C'"] * 240)})
        assert await _refused(conn, "on list 'Big' or on list 'Big'") == "rule_too_large"
        await _ruled(conn, {f"L{n}": f"on list 'L{n - 1}'" if n else "city = 'x'" for n in range(14)})
        assert await _refused(conn, "on list 'L13'") == "rule_too_large"
    await engine.dispose()


async def test_the_largest_rule_is_answered(database: Database) -> None:
    """What the limits allow, a database can be asked."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    many = " or ".join(f"not (city ends with '{n}' and city not in ('a', 'b'))" for n in range(160))
    deep = "not (" * 9 + "city = 'x'" + ")" * 9
    async with engine.begin() as conn:
        await _ruled(conn, {"L0": deep, **{f"L{n}": f"not (not on list 'L{n - 1}')" for n in range(1, 10)}})
        await _put_one(conn)
        for text in (many, "on list 'L9'"):
            asked = await dynamic.known(conn, text, TODAY)
            assert isinstance(asked, Known), asked
            assert await dynamic.count(conn, asked) in (0, 1)
            assert len(await dynamic.page(conn, asked, "", 10)) <= 1
    await engine.dispose()


async def _put_one(conn: AsyncConnection) -> None:
    text = searched("a@x.example", "", '{"city":"x"}')
    await conn.execute(SEARCH.insert().values(contact="c1", text=text))


async def test_members_follow_what_a_rule_finds(database: Database) -> None:
    """Who is found becomes a member beside the list, who is found no more is one no more; others stay."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    people = [_numbered(n, Person("", "a@x.example", fields={"n": str(n)})) for n in range(20)]
    under = dynamic.found_id(lists.id_of("Few"))
    async with engine.begin() as conn:
        await _put(conn, people)
        await _ruled(conn, {"Few": "n < 5"})
        await conn.execute(MEMBERS.insert().values(list=lists.id_of("Few"), contact=people[19].id))
    assert await dynamic.settled(engine, [lists.id_of("Few"), "other"], TODAY) == {under: lists.id_of("Few")}

    async def found() -> list[str]:
        async with engine.connect() as conn:
            m = MEMBERS.c
            return list(await conn.scalars(select(m.contact).where(m.list == under).order_by(m.contact)))

    assert await found() == [who.id for who in people[:5]]
    async with engine.begin() as conn:
        await _ruled(conn, {"Few": "n >= 3 and n < 8 or n = 12"})
    await dynamic.settled(engine, [lists.id_of("Few")], TODAY)
    assert await found() == [people[n].id for n in (3, 4, 5, 6, 7, 12)]
    async with engine.begin() as conn:
        await conn.execute(delete(SEARCH).where(SEARCH.c.contact >= people[6].id))
    await dynamic.settled(engine, [lists.id_of("Few")], TODAY)
    assert await found() == [people[n].id for n in (3, 4, 5)]
    await engine.dispose()


async def test_words_are_parameters(database: Database) -> None:
    """Nothing of a rule stands in the statement."""
    engine = await database.fresh("planner")
    await create_tables(engine, METADATA)
    async with engine.begin() as conn:
        evil = "x'; drop table contacts; --"
        asked = await dynamic.known(conn, f'city = "{evil}" or [drop.table] contains "{evil}"', TODAY)
        assert isinstance(asked, Known)
        sql = str(select(SEARCH).where(asked.finder(conn).where(asked.rule)).compile(dialect=conn.dialect))
        assert "drop" not in sql
        assert await dynamic.count(conn, asked) == 0
    await engine.dispose()
