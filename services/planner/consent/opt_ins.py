"""Opt-ins and opt-outs that operators and producers tell of, and the mail that asks for a confirmation.

The request stands in the log before the contact is put on the list, and blocks it there: no mailing can include
somebody who was asked and has not answered. The mail is one chunk in the prompt lane under an id of its own. What a
crash leaves undone is done when the command or the producer's message comes again; the request is then the same fact.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html import escape

from sqlalchemy import BigInteger, Column, String, Table, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.consent.opting import Standing, may_ask, step
from services.planner.contacts import contacts, lists
from services.planner.contacts.contacts import CONTACTS, holder
from services.planner.contacts.incoming import incoming
from services.planner.contacts.lists import CONFIRMATIONS, MEMBERS
from services.planner.content.freezing import freeze_content
from services.planner.facts import SUPPRESSION, millis
from services.planner.planning.chunks import Planning, by_itself, payload_row
from services.planner.schema import METADATA, insert
from services.planner.statuses import standing
from shared import clock, languages
from shared.contracts import subjects
from shared.contracts.commands import DraftMailing, ListConfirmation, Refusal
from shared.contracts.consent import EVERYTHING, How, OptedIn, OptedOut, OptInRequested
from shared.contracts.content import Content
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.template import OPT_IN_LINK, OPT_IN_URL, placeholders
from shared.database import reading
from shared.eventlog.store import EventLog
from shared.ids import derived_id
from shared.keys import KeyRing
from shared.providers import Providers
from shared.steps import step as passed

ASKED = Table(
    "opt_in_mails",
    METADATA,
    Column("address_key", String(16), primary_key=True),
    Column("list", String(24), primary_key=True),
    Column("at", BigInteger, primary_key=True, autoincrement=False),
)
"""When somebody was asked to confirm; forgotten after a while, but for the first time (producers ask once)."""

_CAMPAIGN = "confirm"
_FACTS_S = 30.0
_LIST_FIELD = "list"


@dataclass(frozen=True, slots=True)
class Wish:
    """Mail of a list for an address; `how` it is known."""

    address: str
    list_id: str
    how: How
    name: str = ""


class OptIns:
    """Takes opt-ins and opt-outs."""

    def __init__(
        self,
        engine: AsyncEngine,
        log: EventLog,
        keys: KeyRing,
        planning: Planning,
        *,
        providers: Providers,
        facts_at: Callable[[int, float], Awaitable[None]],
    ) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._log = log
        self._keys = keys
        self._planning = planning
        self._providers = providers
        self._facts_at = facts_at

    async def demanding(self) -> set[str]:
        """Return the ids of the lists that demand a confirmation."""
        async with self._reading.connect() as conn:
            return set(await conn.scalars(select(CONFIRMATIONS.c.list)))

    async def opt_in(self, wish: Wish, origin: Origin) -> tuple[str, str, int] | Refusal:
        """Do what the wish leads to; return contact, state and position."""
        key = self._keys.address_key(wish.address)
        standing = await self._standing(key, wish.list_id)
        what = step(standing, wish.list_id, wish.how)
        if isinstance(what, Refusal):
            return what
        if what == "unchanged":
            async with self._reading.connect() as conn:
                return await _contact(conn, key), "unchanged", 0
        position = await self._say(wish, what, key, origin)
        contact = await self._join(wish, key)
        if what == "subscribe":
            return contact, "subscribed", position
        if not may_ask(standing, wish.list_id, millis(clock.now())):
            return contact, "asked_before", position
        await self._ask(wish, key, contact, origin)
        return contact, "asked", position

    async def hold(self, wish: Wish, origin: Origin) -> bool:
        """Block what a producer is about to put on a list until it is confirmed; return whether the person is asked."""
        key = self._keys.address_key(wish.address)
        asks = step(await self._standing(key, wish.list_id), wish.list_id, wish.how) == "ask"
        if asks:
            await self._say(wish, "ask", key, origin)
        return asks

    async def ask(self, wish: Wish, origin: Origin) -> None:
        """Ask for the confirmation of what was held, once the contact is on the list."""
        key = self._keys.address_key(wish.address)
        standing = await self._standing(key, wish.list_id)
        if standing.member and may_ask(standing, wish.list_id, millis(clock.now())):
            async with self._reading.connect() as conn:
                contact = await _contact(conn, key)
            await self._ask(wish, key, contact, origin)

    async def opt_out(self, address: str, scope: str, origin: Origin) -> int:
        """Record that an address wants no mail of a scope; return the position."""
        key = self._keys.address_key(address)
        return await self._append(key, OptedOut(address_key=key, scope=scope, how="operator"), origin)

    async def _standing(self, key: str, list_id: str) -> Standing:
        await self._facts_at(await self._log.last_seq(subjects.ALL_CONSENT), _FACTS_S)
        s, m, c = SUPPRESSION.c, MEMBERS.c, CONTACTS.c
        async with self._reading.connect() as conn:
            demands = await conn.scalar(select(CONFIRMATIONS.c.list).where(CONFIRMATIONS.c.list == list_id))
            on = select(m.list).join(CONTACTS, c.id == m.contact).where((c.address_key == key) & (m.list == list_id))
            member = await conn.scalar(on.limit(1))
            blocks = select(s.scope, s.blocked).where(
                (s.address_key == key) & (s.blocked != "") & s.scope.in_((list_id, EVERYTHING))
            )
            blocked = {str(row[0]): str(row[1]) for row in await conn.execute(blocks)}
            asked = await conn.execute(select(ASKED.c.list, ASKED.c.at).where(ASKED.c.address_key == key))
            times = [(str(row[0]), int(row[1])) for row in asked]
        return Standing(demands is not None, member is not None, blocked, times)

    async def _say(self, wish: Wish, what: str, key: str, origin: Origin) -> int:
        common = {"address_key": key, "scope": wish.list_id, "how": wish.how}
        if what == "subscribe":
            return await self._append(key, OptedIn.model_validate(common), origin)
        return await self._append(key, OptInRequested.model_validate({**common, "mailing": _mailing(origin)}), origin)

    async def _append(self, key: str, event: DomainEvent, origin: Origin) -> int:
        seq = await self._log.append_journal(subjects.consent(subjects.partition(key)), [event], origin=origin)
        passed("consent.appended")
        return seq

    async def _join(self, wish: Wish, key: str) -> str:
        row = incoming(wish.address, key, wish.name or None, {}, self._providers.domains)
        async with self._engine.begin() as conn:
            done = await contacts.upsert(conn, [row])
            contact = done.contacts[key]
            await lists.add_members(conn, wish.list_id, [contact])
        passed("consent.joined")
        return contact

    async def _ask(self, wish: Wish, key: str, contact: str, origin: Origin) -> None:
        """Plan the mail that asks, and note that it did."""
        c = CONFIRMATIONS.c
        async with self._reading.connect() as conn:
            mail = (await conn.execute(select(CONFIRMATIONS).where(c.list == wish.list_id))).one_or_none()
            names = await lists.names(conn, [wish.list_id])
            status = await standing.field_of(conn, contact)
        if mail is None:  # it demands none any more
            return
        mailing = _mailing(origin)
        fields = {_LIST_FIELD: names[wish.list_id], **status}
        row = payload_row(contact, (wish.address, wish.name, key), [wish.list_id], fields)
        payload = await self._planning.put(mailing, 0, [row])
        # The request itself blocks mail of the list; this mail asks about it.
        checked = await self._log.last_seq(subjects.ALL_CONSENT)
        plan = by_itself(mailing, "confirmation", mail.account, mail.content, checked)
        await self._planning.append(plan, [contact], payload)
        passed("consent.asked")
        now = millis(clock.now())
        async with self._engine.begin() as conn:
            noted = {"address_key": key, "list": wish.list_id, "at": now}
            await conn.execute(insert(conn, ASKED).values(noted).on_conflict_do_nothing())


def _mailing(origin: Origin) -> str:
    return derived_id(_CAMPAIGN, origin.command_id)


async def _contact(conn: AsyncConnection, key: str) -> str:
    found = await holder(conn, key)
    return found.contact if found else ""


async def demand(engine: AsyncEngine, list_id: str, wanted: ListConfirmation, content: str) -> None:
    """Have a list demand a confirmation by the mail `content` (its hash), or none where there is no account."""
    async with engine.begin() as conn:
        await conn.execute(delete(CONFIRMATIONS).where(CONFIRMATIONS.c.list == list_id))
        if wanted.account:
            row = {"list": list_id, "account": wanted.account, "content": content, "subject": wanted.subject}
            await conn.execute(insert(conn, CONFIRMATIONS).values(row))


def confirmation_of(wanted: ListConfirmation) -> Content | Refusal:
    """Return the mail that asks, in our words where none are given."""
    language = languages.of(wanted.language)
    texts, whole = language.mail, f'<div lang="{language.code}" dir="{language.direction}">'
    html, text, subject = wanted.html, wanted.text, wanted.subject or texts.confirm_subject
    if not html.strip() and not text.strip():
        paragraphs = (escape(texts.confirm_asked, quote=False), "{{ optInLink }}", escape(texts.confirm_ignore))
        html = whole + "".join(f"<p>{each}</p>" for each in paragraphs) + "</div>"
        text = f"{texts.confirm_asked}\n\n{{{{ optInUrl }}}}\n\n{texts.confirm_ignore}\n"
    draft = DraftMailing(
        campaign=_CAMPAIGN,
        name=_CAMPAIGN,
        account=wanted.account,
        sender_name=wanted.sender_name,
        sender_address=wanted.sender_address,
        subject=subject,
        html=html,
        text=text,
        language=wanted.language,
    )
    content = freeze_content(draft, {_LIST_FIELD}, list_name="", list_id="", unsubscribe=False)
    if isinstance(content, Refusal):
        return content
    for field, source in (("html", content.html), ("text", content.text)):
        if source and not placeholders(source, html=field == "html") & {OPT_IN_URL, OPT_IN_LINK}:
            message = "a mail that asks for a confirmation needs {{ optInUrl }} or {{ optInLink }}"
            return Refusal(code="opt_in_link_missing", message=message, field=field)
    return content.model_copy(update={"headers": {"Auto-Submitted": "auto-generated"}})
