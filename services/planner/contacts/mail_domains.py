"""Whose mailboxes the domains of contacts are, where the table of providers does not say: DNS is asked, and kept.

A domain is of a provider where all its mail exchangers are. Contacts are gone through in the order in which they came,
a page at a time, and their provider is set; who comes later is seen by the next sweep, the end of an import by the one
after it. Once a day all are gone through anew, as domains move, an hour after DNS was away, and at once where the table
is another one; an answer holds for a week. No transaction is open while DNS is asked, and nobody waits for it: where it
is away contacts stay as they are, in the lane `rest`, it is asked ever more seldom, and a metric says so.
"""

import asyncio
import functools
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Column, Integer, String, Table, delete, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.contacts.contacts import CONTACTS
from services.planner.schema import METADATA
from services.planner.settings import PlannerSettings
from shared import clock, metrics
from shared.addresses import domain
from shared.bulk import replace_rows, update_rows
from shared.database import alone, reading
from shared.providers import Providers

if TYPE_CHECKING:
    from services.planner.accounts.dns import Dns

logger = logging.getLogger(__name__)

Exchangers = Callable[[str], Awaitable[Sequence[str] | None]]
"""Returns the mail exchangers of a domain, none where it has none; None where nobody could say."""

PAGE = 1_000
TURN = 10
"""So many pages are gone through before the right to do so, which holds a connection, is let go."""
AT_ONCE = 20
"""So many domains are asked for at a time; where DNS says nothing of any of them it is taken to be away."""
HOLDS = 7 * 86_400
"""Seconds that an answer holds."""
UNKNOWN = 3_600
"""Seconds for which nobody asks again for a domain of which DNS said nothing; then all are, where DNS was away."""
ROUND = 86_400
"""Seconds after which all contacts are gone through anew."""
LONGEST = 900.0
"""Most seconds between two sweeps while DNS is away."""

MAIL_DOMAINS = Table(
    "mail_domains",
    METADATA,
    Column("domain", String(253), primary_key=True),
    Column("provider", String(16), nullable=False),
    Column("holds", BigInteger, nullable=False),  # until when, in seconds since 1970
)
PLACE = Table(
    "mail_domains_place",
    METADATA,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("contact", String(12), nullable=False),
    Column("began", BigInteger, nullable=False),
    Column("known", String(16), nullable=False),
    Column("unanswered", Integer, nullable=False),
)

_ANSWERS = metrics.counter(
    "posthaste_mx_answers_total", "Domains whose mail exchangers were asked for, by what came of it", ("outcome",)
)
_UNANSWERED = metrics.gauge(
    "posthaste_mx_unanswered_count", "Domains of contacts of which DNS said nothing: their mail goes in the lane rest"
)

_Row = tuple[str, str, str]
"""Contact, domain of its address, provider."""


@dataclass(frozen=True, slots=True)
class Place:
    """How far the contacts were gone through.

    Attributes:
        contact: The last one.
        began: When this round did, in seconds since 1970; where DNS was away as if that were long ago.
        known: Digest of the table of providers it goes by.
        unanswered: Domains of which nobody could say anything in it.
    """

    contact: str
    began: int
    known: str
    unanswered: int = 0

    def over(self, known: str, now: int) -> bool:
        """Whether all are to be gone through anew."""
        return known != self.known or now >= self.began + ROUND


class MailDomains:
    """Sets the providers of contacts by the mail exchangers of their domains."""

    def __init__(
        self,
        engine: AsyncEngine,
        providers: Providers,
        exchangers: Exchangers,
        importing: Callable[[], Awaitable[object]],
        settings: PlannerSettings,
    ) -> None:
        """Take the database, the table, how DNS is asked, what says of an import, whether and how often it is swept."""
        self._engine = engine
        self._providers = providers
        self._exchangers = exchangers
        self._importing = importing
        self._wanted, self._every = settings.mx_lookups, settings.sweep_seconds
        self._began = False
        table = repr((sorted(providers.domains.items()), sorted(providers.suffixes.items())))
        self._known = hashlib.sha256(table.encode()).hexdigest()[:16]

    async def run(self) -> None:
        """Sweep for ever, where that is wanted."""
        wait = self._every
        while self._wanted:
            try:
                if await self.sweep():
                    wait = self._every
                else:
                    wait = min(2 * wait, max(LONGEST, self._every))
                    logger.warning("DNS says nothing of mail exchangers, asked again in %.0f s", wait)
            except (SQLAlchemyError, OSError) as error:  # away: the next sweep will do
                logger.warning("mail domains wait: %s", error)
            await asyncio.sleep(wait)

    async def sweep(self) -> bool:
        """Go through whom nobody has gone through yet; False where DNS was away."""
        now = int(clock.now().timestamp())
        while (well := await self._turn(now)) is None:
            pass
        return well

    async def _turn(self, now: int) -> bool | None:
        """Go through some pages; None where there may be more, False where DNS was away."""
        async with alone(self._engine, "mail domains") as ours:
            if not ours:  # another planner does
                return True
            place = began = await self._place(now)
            if place.known != self._known:  # a planner that started later has another table: that one holds
                return True
            for _ in range(TURN):
                if await self._importing():  # it has the database to itself; the next sweep goes on here
                    return True
                page = await self._page(place.contact)
                if page:
                    place = await self._through(page, place, now)
                    if place.contact != page[-1][0]:  # the next sweep goes on behind those that were asked for
                        return False
                if len(page) < PAGE:
                    if place != began:
                        await self._end(place)
                    return True
            await self._keep(place, [], [])
            return None

    async def _through(self, page: Sequence[_Row], place: Place, now: int) -> Place:
        """Set the providers of a page; return how far that went: not to its end where DNS is away."""
        names = {name for _, name, _ in page} - self._providers.domains.keys()
        kept = await self._kept(names)
        whose = {name: provider for name, (provider, holds) in kept.items() if holds > now}
        answers = await self._ask(sorted(names - whose.keys()))
        silent = [name for name, found in answers.items() if found is None]
        whose |= {name: found or "" for name, found in answers.items()}
        whose |= {name: kept[name][0] for name in silent if name in kept}  # as it was, until DNS says otherwise
        at_hand = names <= whose.keys()
        place = replace(
            place,
            contact=page[-1][0] if at_hand else place.contact,
            began=place.began if at_hand else now - ROUND + UNKNOWN,
            unanswered=place.unanswered + len(silent),
        )
        said = [(name, whose[name], now + (UNKNOWN if answers[name] is None else HOLDS)) for name in answers]
        moved = list(self._moved(page, whose)) if at_hand else []
        if said or moved:
            await self._keep(place, said, moved)
        return place

    async def _place(self, now: int) -> Place:
        """Return how far the contacts were gone through; another table begins anew and asks for all domains.

        Once a process: else planners of different tables would have all asked for again by turns.
        """
        async with reading(self._engine).connect() as conn:
            row = (await conn.execute(select(PLACE))).one_or_none()
        place = Place(*row[1:]) if row is not None else Place("", 0, "")
        if place.known != self._known and self._began:
            return place
        self._began = True
        if place.over(self._known, now):
            other = place.known != self._known
            place = Place("", now, self._known)
            async with self._engine.begin() as conn:
                if other:
                    await conn.execute(update(MAIL_DOMAINS).values(holds=0))
                await _put(conn, place)
        _UNANSWERED.set(place.unanswered)
        return place

    async def _page(self, after: str) -> list[_Row]:
        c = CONTACTS.c
        some = select(c.id, c.address, c.provider).where(c.id > after).order_by(c.id).limit(PAGE)
        async with reading(self._engine).connect() as conn:
            return [(row[0], domain(row[1]), row[2]) for row in await conn.execute(some)]

    async def _kept(self, names: Iterable[str]) -> dict[str, tuple[str, int]]:
        """Return what is known of domains: the provider, and until when that holds."""
        known = select(MAIL_DOMAINS).where(MAIL_DOMAINS.c.domain.in_(names))
        async with reading(self._engine).connect() as conn:
            return {row[0]: (row[1], row[2]) for row in await conn.execute(known)}

    async def _ask(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return the provider of each domain, None where DNS did not say; it ends early where DNS is away."""
        answers: dict[str, str | None] = {}
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            told = await asyncio.gather(*map(self._exchangers, some))
            for name, hosts in zip(some, told, strict=True):
                answers[name] = found = None if hosts is None else self._providers.of_hosts(hosts)
                _ANSWERS.labels("unanswered" if found is None else "provider" if found else "none").inc()
            if all(hosts is None for hosts in told):
                break
        return answers

    def _moved(self, page: Iterable[_Row], whose: dict[str, str]) -> Iterable[tuple[str, str]]:
        """Yield contacts of another provider than stands there."""
        right = whose | self._providers.domains
        for contact, name, provider in page:
            if right[name] != provider:
                yield contact, right[name]

    async def _keep(self, place: Place, said: Sequence[tuple[str, str, int]], moved: Sequence[tuple[str, str]]) -> None:
        """Keep what DNS said, who is of another provider, and how far that went."""
        async with self._engine.begin() as conn:
            await replace_rows(conn, MAIL_DOMAINS, said)
            await update_rows(conn, CONTACTS, ("id", "provider"), moved)
            await _put(conn, place)
        _UNANSWERED.set(place.unanswered)

    async def _end(self, place: Place) -> None:
        """Forget domains of which nobody has an address any more: they were not met in this round."""
        async with self._engine.begin() as conn:
            await conn.execute(delete(MAIL_DOMAINS).where(MAIL_DOMAINS.c.holds < place.began))
            await _put(conn, place)


async def _put(conn: AsyncConnection, place: Place) -> None:
    await replace_rows(conn, PLACE, [(1, place.contact, place.began, place.known, place.unanswered)])


def exchangers_at(server: str) -> Exchangers:
    """Return what asks DNS at `server` (see accounts/dns.py)."""

    @functools.cache
    def asked() -> "Dns":
        from services.planner.accounts.dns import Dns  # noqa: PLC0415 - a tenth of the planner's start

        return Dns(server)

    async def exchangers(name: str) -> Sequence[str] | None:
        return await asked().exchangers(name)

    return exchangers
