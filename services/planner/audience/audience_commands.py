"""The commands about who gets a mailing: sources, recipients added and removed, lists from outcomes, freezing."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import func, literal, select

from services.planner.audience import outcomes
from services.planner.audience.candidates import recipients
from services.planner.audience.choosing import Chosen
from services.planner.audience.freezing import Wanted
from services.planner.audience.frozen_rows import forget_others
from services.planner.audience.outcomes import RESULTS
from services.planner.contacts import activities, contacts, lists
from services.planner.contacts.contacts import CONTACTS
from services.planner.contacts.incoming import incoming
from services.planner.contacts.lists import MEMBERS
from services.planner.idempotency import Act
from services.planner.mailings import orders
from services.planner.mailings.mailing import Mailing
from services.planner.parts import Parts
from services.planner.planning import fan_out
from services.planner.schema import insert
from shared import clock, tracing
from shared.addresses import AddressError, parse
from shared.contracts import commands, subjects
from shared.contracts.audience import ListFilled
from shared.contracts.commands import Answer, Refusal
from shared.contracts.mailing import AudienceFrozen
from shared.contracts.sources import OfActivity, OfMailing, Sources
from shared.database import reading
from shared.providers import Providers
from shared.steps import step

Result = Answer | Refusal

NO_MAILING = Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")
_FACTS_S = 30.0
_ID = re.compile("[a-z0-9]{1,24}")


async def choose_sources(parts: Parts, wanted: commands.ChooseSources, act: Act) -> Result:
    """Choose where the audience comes from."""
    state = await parts.mailing(wanted.mailing)
    if state.draft is None:
        return NO_MAILING
    sources = await _by_ids(parts, wanted.sources)
    if isinstance(sources, Refusal):
        return sources
    objects = await _objects(parts, sources.mailings)
    if isinstance(objects, Refusal):
        return objects
    happened = await _activities(parts, sources.activities)
    if isinstance(happened, Refusal):
        return happened
    order = orders.Choose(sources, tuple(await _lists_of(parts, state)))
    return await parts.order(act, wanted.mailing, order)


async def add_recipients(parts: Parts, wanted: commands.AddRecipients, act: Act) -> Result:
    """Let people get it as well; who is no contact yet becomes one."""
    keys = await _keys(parts, wanted)
    if isinstance(keys, Refusal):
        return keys
    if (await parts.mailing(wanted.mailing)).status != "planned":  # no contact is made for a refusal
        return await parts.order(act, wanted.mailing, orders.AddRecipients(()))
    domains = Providers.load(parts.settings.providers_file).domains
    found: dict[str, str] = {}
    if keys:
        async with parts.engine.begin() as conn:
            await contacts.lock(conn)
            rows = [incoming(address, key, None, {}, domains) for key, address in keys.items()]
            found = (await contacts.upsert(conn, rows)).contacts
        parts.directory.nudge()
    chosen = (*(found[key] for key in keys), *wanted.contacts)
    return _told(await parts.order(act, wanted.mailing, orders.AddRecipients(chosen)), chosen)


async def remove_recipients(parts: Parts, wanted: commands.RemoveRecipients, act: Act) -> Result:
    """Let people not get it."""
    keys = await _keys(parts, wanted)
    if isinstance(keys, Refusal):
        return keys
    async with reading(parts.engine).connect() as conn:
        c = CONTACTS.c
        rows = await conn.execute(select(c.address_key, c.id).where(c.address_key.in_(list(keys))))
        found = {str(key): str(contact) for key, contact in rows}
    if missing := [address for key, address in keys.items() if key not in found]:
        return Refusal(code="contact_unknown", message=f"{missing[0]} is no contact.", field="addresses")
    chosen = (*(found[key] for key in keys), *wanted.contacts)
    return _told(await parts.order(act, wanted.mailing, orders.RemoveRecipients(chosen)), chosen)


async def list_from(parts: Parts, wanted: commands.ListFrom, act: Act) -> Result:
    """Fill a list with those behind a number, less those who left by this very mailing."""
    source = OfMailing(mailing=wanted.mailing, group=wanted.group)
    state = await parts.mailing(wanted.mailing)
    if state.draft is None or state.audience is None:
        return NO_MAILING if state.draft is None else _not_frozen(wanted.mailing, "mailing")
    audience = await parts.freezer.ensure_cached(wanted.mailing, state.audience.object)
    await _up_to_now(parts)
    await outcomes.freshen(parts.engine)
    r = RESULTS.c
    async with parts.engine.begin() as conn:
        list_id = await lists.ensure(conn, wanted.list)
        left = select(r.contact).where(r.mailing == wanted.mailing, r.unsubscribed_at.is_not(None))
        people = recipients(source, audience, literal("")).subquery()
        who = select(people.c.contact).distinct().where(people.c.contact.not_in(left))
        there = select(literal(list_id), CONTACTS.c.id).where(CONTACTS.c.id.in_(who))  # not who was erased
        many = int(await conn.scalar(select(func.count()).select_from(there.subquery())) or 0)
        await conn.execute(insert(conn, MEMBERS).from_select(["list", "contact"], there).on_conflict_do_nothing())
        known = await lists.fields(conn, await _lists_of(parts, state))
        await lists.add_fields(conn, list_id, sorted(known))
    filled = ListFilled(list=list_id, mailing=wanted.mailing, group=wanted.group, contacts=many)
    part = subjects.partition(hashlib.sha256(list_id.encode()).hexdigest())
    position = await parts.log.append_journal(subjects.audience(part), [filled], origin=act.origin(wanted.mailing))
    data = {"list": list_id, "name": wanted.list, "contacts": many}
    return Answer(ok=True, position=position, data=data)


async def freeze_audience(parts: Parts, wanted: commands.FreezeAudience, act: Act) -> Result:
    """Freeze the audience of a mailing; one at a time for each mailing."""
    async with parts.freezing[wanted.mailing]:
        state = await parts.mailing(wanted.mailing)
        if state.draft is None:
            return NO_MAILING
        if await parts.committed(act, subjects.mailing(wanted.mailing)) and state.audience is not None:
            return await _frozen(parts, wanted.mailing, act, state.audience)
        if state.status != "planned":
            return Refusal(code="audience_fixed", message="The audience is fixed: withdraw the start first.")
        what = await _wanted(parts, wanted.mailing, state)
        if isinstance(what, Refusal):
            return what
        await parts.directory.settled()  # reporting knows whom a mail goes to before it goes out
        began, whole = tracing.begin(), tracing.whole(wanted.mailing)
        frozen = await parts.freezer.freeze(what)
        found = {"recipients": frozen.recipients, "skipped": sum(frozen.skipped.values()), "chunks": frozen.chunks}
        tracing.record("freeze audience", began, tracing.some(whole), parent=whole, what=found)
        return await _frozen(parts, wanted.mailing, act, frozen)


async def _wanted(parts: Parts, mailing: str, state: Mailing) -> Wanted | Refusal:
    """Return what to freeze, from the sources as they were chosen."""
    all_of_it = await _lists_of(parts, state)
    per_second = fan_out.rate(state.limits, *(await parts.account_of(state)).limits_on(clock.now()))
    size = fan_out.chunk_size(per_second, parts.settings.chunk_size, state.draft.batch if state.draft else None)
    chosen: Chosen = state.chosen
    names = all_of_it if chosen.sources.lists is None else chosen.sources.lists
    objects = await _objects(parts, chosen.sources.mailings)
    if isinstance(objects, Refusal):
        return objects
    if not chosen.plain:
        await _up_to_now(parts)
    happened = await _activities(parts, chosen.sources.activities)
    if isinstance(happened, Refusal):
        return happened
    zones = state.draft is not None and state.draft.recipient_time
    ab_test = state.draft.ab_test if state.draft is not None else None
    return Wanted(mailing, names, size, zones, chosen, next(iter(all_of_it), ""), objects, happened, ab_test)


async def _frozen(parts: Parts, mailing: str, act: Act, frozen: AudienceFrozen) -> Result:
    done = await parts.order(act, mailing, orders.Freeze(frozen))
    if isinstance(done, Refusal):
        return done
    step("freeze.appended")
    await forget_others(parts.engine, mailing, frozen.object)
    data = {"recipients": frozen.recipients, "skipped": frozen.skipped, "chunks": frozen.chunks, "lanes": frozen.lanes}
    data["customers"] = frozen.customers or frozen.recipients
    return done.model_copy(update={"data": {**done.data, **data}})


async def _up_to_now(parts: Parts) -> None:
    """Wait until the facts hold what the log holds now."""
    await parts.facts_at((await parts.log.bounds()).last_seq, _FACTS_S)


async def _by_ids(parts: Parts, sources: Sources) -> Sources | Refusal:
    """Return the sources with lists by their ids."""
    helper = sources.helper
    named = [*(sources.lists or ()), *sources.exclude, *([helper.list] if helper else ())]
    ids: dict[str, str] = {}
    async with reading(parts.engine).connect() as conn:
        for name in named:
            found, unknown = await lists.resolve(conn, [name])
            if unknown:
                return Refusal(code="list_unknown", message=f"There is no list {name}.", field="sources")
            ids[name] = found[0]
    changed: dict[str, object] = {"exclude": [ids[name] for name in sources.exclude]}
    if sources.lists is not None:
        changed["lists"] = [ids[name] for name in sources.lists]
    if helper is not None:
        changed["helper"] = helper.model_copy(update={"list": ids[helper.list]})
    return sources.model_copy(update=changed)


async def _objects(parts: Parts, mailings: Sequence[OfMailing]) -> Mapping[str, str] | Refusal:
    """Return the AUDIENCE object of each mailing that is a source."""
    found: dict[str, str] = {}
    for source in mailings:
        state = await parts.mailing(source.mailing)
        if state.draft is None:
            return Refusal(code="mailing_unknown", message=f"There is no mailing {source.mailing}.", field="sources")
        if state.audience is None:
            return _not_frozen(source.mailing, "sources")
        found[source.mailing] = state.audience.object
    return found


async def _activities(parts: Parts, wanted: Sequence[OfActivity]) -> list[str] | Refusal:
    """Return the most recent activity of each kind that is a source."""
    found: list[str] = []
    now = int(clock.now().timestamp() * 1_000_000)
    for one in wanted:
        campaign = (await parts.campaign(one.campaign)).opened if _ID.fullmatch(one.campaign) else None
        words = {one.campaign, *([campaign.name] if campaign else ())} if one.campaign else ()
        async with reading(parts.engine).connect() as conn:
            activity = await activities.newest(conn, one.type, words, now)
        if activity is None:
            message = f"Nobody told of {one.type!r}" + (f" in the campaign {one.campaign}." if one.campaign else ".")
            return Refusal(code="activity_unknown", message=message, field="activities")
        found.append(activity)
    return found


def _not_frozen(mailing: str, field: str) -> Refusal:
    return Refusal(code="audience_missing", message=f"Mailing {mailing} has no frozen audience.", field=field)


async def _keys(parts: Parts, wanted: commands.AddRecipients | commands.RemoveRecipients) -> dict[str, str] | Refusal:
    """Return address key -> address of those that are named by address; those named by contact have to exist."""
    found: dict[str, str] = {}
    for place, text in enumerate(wanted.addresses):
        try:
            address = parse(text)
        except AddressError as error:  # refused with the reason
            return Refusal(code="address_invalid", message=f"{text!r}: {error}", field=f"addresses.{place}")
        found[parts.keys.address_key(address)] = address
    async with reading(parts.engine).connect() as conn:
        there = set(await conn.scalars(select(CONTACTS.c.id).where(CONTACTS.c.id.in_(wanted.contacts))))
    if missing := [contact for contact in wanted.contacts if contact not in there]:
        return Refusal(code="contact_unknown", message=f"There is no contact {missing[0]}.", field="contacts")
    return found


async def _lists_of(parts: Parts, state: Mailing) -> list[str]:
    campaign = await parts.campaign(state.draft.campaign if state.draft else "")
    return campaign.opened.lists if campaign.opened else []


def _told(done: Result, chosen: Sequence[str]) -> Result:
    if isinstance(done, Refusal):
        return done
    return done.model_copy(update={"data": {**done.data, "contacts": list(chosen)}})


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.ChooseSources: choose_sources,
    commands.AddRecipients: add_recipients,
    commands.RemoveRecipients: remove_recipients,
    commands.ListFrom: list_from,
    commands.FreezeAudience: freeze_audience,
}
