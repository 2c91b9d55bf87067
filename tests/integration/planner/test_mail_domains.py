"""Domains whose mail exchangers are a large provider's get its lane; what DNS does not say changes nothing."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
from dns.asyncresolver import Resolver
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.accounts import dns
from services.planner.accounts.dns import Dns
from services.planner.contacts import contacts, mail_domains
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.incoming import incoming
from services.planner.contacts.mail_domains import (
    AT_ONCE,
    HOLDS,
    MAIL_DOMAINS,
    ROUND,
    UNKNOWN,
    MailDomains,
    exchangers_at,
)
from services.planner.schema import METADATA, FairEngine
from services.planner.settings import PlannerSettings
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.sending import ChunkPlanned
from shared.database import alone, create_tables
from shared.eventlog.documents import Documents
from shared.providers import BUILT_IN, Providers
from tests.harness.databases import Database
from tests.harness.dns import dns_server
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

GOOGLE = ("aspmx.l.google.com", "alt1.aspmx.l.google.com")


@dataclass
class Known:
    """What is asked for, and what of it is known: None for a domain of which nobody can say anything."""

    hosts: dict[str, Sequence[str] | None] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    away: bool = False
    importing: bool = False

    async def __call__(self, name: str) -> Sequence[str] | None:
        """Return the mail exchangers of a domain."""
        self.asked.append(name)
        return None if self.away else self.hosts.get(name, ())


@pytest.fixture
async def engine(database: Database) -> AsyncIterator[AsyncEngine]:
    """Yield a planner's database."""
    engine = FairEngine(await database.fresh("planner"))
    await create_tables(engine, METADATA)
    yield engine
    await engine.dispose()


def _finder(engine: AsyncEngine, known: Known, providers: Providers = BUILT_IN) -> MailDomains:
    settings = PlannerSettings(secret_keys="s" * 32, address_pepper="p" * 32)

    async def importing() -> bool:
        return known.importing

    return MailDomains(engine, providers, known, importing, settings)


async def _put(engine: AsyncEngine, *addresses: str) -> None:
    async with engine.begin() as conn:
        rows = [incoming(each, f"{abs(hash(each)):016x}"[:16], "", {}, BUILT_IN.domains) for each in addresses]
        await contacts.upsert(conn, rows)


async def _providers(engine: AsyncEngine) -> dict[str, str]:
    async with engine.connect() as conn:
        return {row[0]: row[1] for row in await conn.execute(select(CONTACTS.c.address, CONTACTS.c.provider))}


@pytest.mark.feature("B4")
async def test_a_domain_is_of_the_provider_of_all_its_exchangers(engine: AsyncEngine) -> None:
    """One exchanger elsewhere, none at all, or a domain of the table: nothing is taken from the exchangers."""
    known = Known({"firm.cz": GOOGLE, "mixed.cz": (*GOOGLE, "mx.mixed.cz"), "none.cz": ()})
    await _put(engine, "a@firm.cz", "b@mixed.cz", "c@none.cz", "d@gmail.com", "e@Firm.cz")
    assert await _finder(engine, known).sweep()
    expected = {"a@firm.cz": "gmail", "b@mixed.cz": "", "c@none.cz": "", "d@gmail.com": "gmail", "e@Firm.cz": "gmail"}
    assert await _providers(engine) == expected
    assert sorted(known.asked) == ["firm.cz", "mixed.cz", "none.cz"]


async def test_who_comes_later_is_seen_and_nothing_is_asked_twice(engine: AsyncEngine) -> None:
    """What DNS said is kept, over a restart, too."""
    known = Known({"firm.cz": GOOGLE, "other.cz": ("mx1.seznam.cz",)})
    await _put(engine, "a@firm.cz")
    assert await _finder(engine, known).sweep()
    await _put(engine, "b@firm.cz", "c@other.cz")
    assert await _finder(engine, known).sweep()
    assert await _providers(engine) == {"a@firm.cz": "gmail", "b@firm.cz": "gmail", "c@other.cz": "seznam"}
    assert sorted(known.asked) == ["firm.cz", "other.cz"]


async def test_another_table_of_providers_holds_at_once(engine: AsyncEngine, tmp_path: Path) -> None:
    """Who is the new provider's moves, what DNS does not say any more stays; a planner of the old table keeps still."""
    known = Known({"firm.cz": ("mx.host.cz",), "old.cz": GOOGLE})
    await _put(engine, "a@firm.cz", "b@old.cz")
    before = _finder(engine, known)
    assert await before.sweep()
    (tmp_path / "providers.toml").write_text('[host]\nmx = ["host.cz"]\n')
    known.hosts["old.cz"] = None
    finder = _finder(engine, known, Providers.load(tmp_path / "providers.toml"))
    assert await finder.sweep()
    assert await _providers(engine) == {"a@firm.cz": "host", "b@old.cz": "gmail"}
    assert await before.sweep()
    assert await finder.sweep()
    assert sorted(known.asked) == ["firm.cz", "firm.cz", "old.cz", "old.cz"]


async def test_a_silent_domain_does_not_have_all_gone_through_each_hour(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for again the next day."""
    known = Known({"firm.cz": GOOGLE, "dead.cz": None})
    await _put(engine, "a@firm.cz", "b@dead.cz")
    finder = _finder(engine, known)
    began = clock.now()
    for seconds, asked in ((0, 1), (UNKNOWN + 1, 1), (ROUND + 1, 2)):
        monkeypatch.setattr(clock, "now", lambda seconds=seconds: began + timedelta(seconds=seconds))
        assert await finder.sweep()
        assert known.asked.count("dead.cz") == asked


async def test_a_long_sweep_lets_go_of_its_right_now_and_then(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on where it was, and forgets who was not met at the end alone."""
    monkeypatch.setattr(mail_domains, "PAGE", 2)
    monkeypatch.setattr(mail_domains, "TURN", 2)
    taken = list[str]()

    def counted(engine: AsyncEngine, what: str) -> AbstractAsyncContextManager[bool]:
        taken.append(what)
        return alone(engine, what)

    monkeypatch.setattr(mail_domains, "alone", counted)
    known = Known({f"d{at}.cz": GOOGLE for at in range(9)})
    await _put(engine, *(f"a@d{at}.cz" for at in range(9)))
    assert await _finder(engine, known).sweep()
    assert set((await _providers(engine)).values()) == {"gmail"}
    assert len(taken) == 3
    assert len(known.asked) == 9


async def test_an_import_has_the_database_to_itself(engine: AsyncEngine) -> None:
    """Nobody is asked while one is under way; behind it the next sweep goes on."""
    known = Known({"firm.cz": GOOGLE}, importing=True)
    await _put(engine, "a@firm.cz")
    assert await _finder(engine, known).sweep()
    assert known.asked == []
    known.importing = False
    assert await _finder(engine, known).sweep()
    assert await _providers(engine) == {"a@firm.cz": "gmail"}


async def test_without_dns_contacts_stay_and_are_looked_at_later(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep ends at the first domains of which nobody says anything; an hour later all are asked for again."""
    known = Known({f"d{at}.cz": GOOGLE for at in range(3 * AT_ONCE)}, away=True)
    await _put(engine, *(f"a@d{at}.cz" for at in range(3 * AT_ONCE)))
    finder = _finder(engine, known)
    assert not await finder.sweep()
    assert len(known.asked) == AT_ONCE
    assert set((await _providers(engine)).values()) == {""}
    known.away = False
    assert await finder.sweep()
    assert list((await _providers(engine)).values()).count("gmail") == 2 * AT_ONCE
    later = clock.now() + timedelta(seconds=UNKNOWN + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert await finder.sweep()
    assert set((await _providers(engine)).values()) == {"gmail"}


async def test_a_domain_that_moves_is_found_out_and_one_that_nobody_has_is_forgotten(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a week a domain is asked for again, where somebody has an address there."""
    known = Known({"firm.cz": GOOGLE, "gone.cz": GOOGLE})
    await _put(engine, "a@firm.cz", "b@gone.cz")
    finder = _finder(engine, known)
    assert await finder.sweep()
    async with engine.begin() as conn:
        await conn.execute(CONTACTS.delete().where(CONTACTS.c.address == "b@gone.cz"))
    known.hosts["firm.cz"] = ("mx.firm.cz",)
    began = clock.now()
    for days in range(1, 2 + HOLDS // ROUND):
        monkeypatch.setattr(clock, "now", lambda days=days: began + timedelta(seconds=days * ROUND + 1))
        assert await finder.sweep()
    assert await _providers(engine) == {"a@firm.cz": ""}
    async with engine.connect() as conn:
        assert list(await conn.scalars(select(MAIL_DOMAINS.c.domain))) == ["firm.cz"]
    assert known.asked.count("firm.cz") == 2


async def test_what_dns_does_not_say_any_more_stays_as_it_was(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that is a week old, and DNS is away: the contact keeps its provider."""
    known = Known({"firm.cz": GOOGLE})
    await _put(engine, "a@firm.cz")
    finder = _finder(engine, known)
    assert await finder.sweep()
    known.away = True
    later = clock.now() + timedelta(seconds=HOLDS + 1)
    monkeypatch.setattr(clock, "now", lambda: later)
    await finder.sweep()
    assert known.asked == ["firm.cz", "firm.cz"]
    await finder.sweep()
    assert await _providers(engine) == {"a@firm.cz": "gmail"}


async def test_dns_says_which_hosts_take_mail(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts without the last dot; no record, no such name and "takes no mail" (RFC 7505) are none; silence is None."""
    async with dns_server({"text.cz": ["x"]}, exchangers={"firm.cz": GOOGLE, "null.cz": ["."]}) as server:
        asked = Dns(f"127.0.0.1:{server.port}")
        assert sorted(await asked.exchangers("firm.cz") or ()) == sorted(GOOGLE)
        assert [await asked.exchangers(name) for name in ("null.cz", "text.cz", "nobody.cz")] == [(), (), ()]
        assert await asked.exchangers("x" * 64 + ".cz") is None
        made = list[Resolver]()

        def reset(self: Resolver, reset: Callable[[Resolver], None] = Resolver.reset) -> None:
            made.append(self)
            reset(self)

        monkeypatch.setattr(Resolver, "reset", reset)
        ask = exchangers_at(f"127.0.0.1:{server.port}")
        assert await ask("null.cz") == await ask("text.cz") == ()
        assert len(made) == 1  # /etc/resolv.conf is not read for each question
    monkeypatch.setattr(dns, "_SECONDS", 0.2)
    async with dns_server({}, silent=True) as server:
        assert await Dns(f"127.0.0.1:{server.port}").exchangers("firm.cz") is None


@pytest.mark.feature("B4")
async def test_mail_of_a_firm_at_a_large_provider_goes_in_its_lane(desk: Desk) -> None:
    """Half of the audience has its mail at Google under a domain of its own; of few others the payload says whose."""
    people = [f"a{at}@firm.cz" for at in range(30)] + [f"b{at}@post.cz.example" for at in range(30)] + ["c@few.cz"]
    async with dns_server({}, exchangers={"firm.cz": GOOGLE, "few.cz": ["mx1.seznam.cz"]}) as server:
        await desk.down()
        dns_at = f"127.0.0.1:{server.port}"
        desk.settings = desk.settings.model_copy(update={"dns_server": dns_at, "mx_lookups": True})
        await desk.up()
        await desk.imported("\n".join(["email", *people]).encode())
        mailing = await desk.drafted()

        async def in_lanes() -> bool:
            frozen = await desk.do(commands.FreezeAudience(mailing=mailing))
            return bool(frozen["lanes"] == {"gmail": 1, "rest": 1})

        await until(in_lanes, 60)
    await desk.do(commands.ScheduleMailing(mailing=mailing))

    async def planned() -> list[ChunkPlanned]:
        return [plan for plan in await desk.plans(mailing) if plan.lane == subjects.REST]

    (plan,) = await until(planned, 60)
    payload = await Documents(desk.nc, subjects.PAYLOADS).get(subjects.payload(mailing, plan.n))
    rows = [orjson.loads(line) for line in payload.split(b"\n")]
    assert {row["address"]: row["provider"] for row in rows if "provider" in row} == {"c@few.cz": "seznam"}
