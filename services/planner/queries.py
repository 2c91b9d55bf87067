"""The queries the planner answers on NATS, from its tables; each waits until the facts hold what the caller saw."""

import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from services.planner import audit
from services.planner.accounts import fitness, mailboxes, signing
from services.planner.accounts.account import Account
from services.planner.audience import frozen_rows
from services.planner.audience.audience_commands import NO_MAILING
from services.planner.census import Census
from services.planner.contacts import blocked_domain_commands, contact_requests, lists
from services.planner.content import preview, templates, tracking_urls, versions
from services.planner.content.plain_text import text_from_html
from services.planner.content.preheader import as_written
from services.planner.intake import imports
from services.planner.mailings import dry_run_requests, series_requests
from services.planner.parts import Parts
from services.planner.planning import foresight
from services.planner.principals import administration
from services.planner.segments import requests as segments
from shared import clock
from shared.contracts import commands
from shared.contracts.account import limits_on
from shared.contracts.commands import Answer, Refusal
from shared.contracts.content import Content
from shared.contracts.relay import ProviderSlowed, ProviderSuspended
from shared.database import reading
from shared.messaging.answers import Caller, CommandRouter

Query = Callable[[Parts, Any], Awaitable[Answer | Refusal]]

_FACTS_S = 10.0
_LINE = re.compile(r"[0-9]{0,9}")
_BAD_CURSOR = Refusal(code="invalid", message="Give `next` of the page before, as it came.", field="after")
_NO_IMPORT = Refusal(code="import_unknown", message="There is no such import.", field="upload")


async def accounts(parts: Parts, _: commands.Accounts) -> Answer | Refusal:
    """List the accounts, without secrets."""
    today = clock.now().astimezone(UTC).date()
    found = [
        {
            "account": fact.id,
            **fact.state.added.model_dump(mode="json"),
            "per_day_now": limits_on(fact.state.added, today).per_day,
            "tested": fact.state.tested is not None,
            "working": fact.state.working and not fact.paused,
            "detail": fact.paused or (fact.state.tested.detail if fact.state.tested else ""),
            "paused": fact.paused,
            **_shaping(fact.state, clock.now()),
        }
        for fact in await parts.board.accounts()
        if fact.state.added is not None
    ]
    return Answer(ok=True, data={"accounts": found})


def _shaping(state: Account, at: datetime) -> dict[str, list[dict[str, Any]]]:
    """Return which providers get less or nothing at `at`."""
    slowed = [
        {**event.model_dump(include={"provider", "rule"}), **_span(event), "per_hour": rate}
        for _, event in sorted(state.slowed.items())
        if (rate := event.rate(at)) is not None
    ]
    suspended = [
        {**event.model_dump(include={"provider", "rule"}), **_span(event)}
        for _, event in sorted(state.suspended.items())
        if event.until > at
    ]
    return {"slowed": slowed, "suspended": suspended}


def _span(event: ProviderSlowed | ProviderSuspended) -> dict[str, str]:
    return {"since": _iso(event.since), "until": _iso(event.until)}


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def all_lists(parts: Parts, _: commands.Lists) -> Answer | Refusal:
    """List the lists with their members."""
    async with reading(parts.engine).connect() as conn:
        return Answer(ok=True, data={"lists": await lists.overview(conn), "kinds": list(parts.settings.kinds)})


async def import_status(parts: Parts, wanted: commands.ImportStatus) -> Answer | Refusal:
    """Tell how far an import is."""
    async with reading(parts.engine).connect() as conn:
        found = await imports.status(conn, wanted.upload)
    return _NO_IMPORT if found is None else Answer(ok=True, position=found["position"], data=found)


async def rejected_rows(parts: Parts, wanted: commands.RejectedRows) -> Answer | Refusal:
    """List the rejected rows of an import."""
    async with reading(parts.engine).connect() as conn:
        if await imports.status(conn, wanted.upload) is None:
            return _NO_IMPORT
        if not _LINE.fullmatch(wanted.after):
            return _BAD_CURSOR
        rows = await imports.rejected(conn, wanted.upload, wanted.after, wanted.limit)
    after = str(rows[-1]["line"]) if len(rows) == wanted.limit else ""
    return Answer(ok=True, data={"rows": rows, "next": after})


async def draft(parts: Parts, wanted: commands.Draft) -> Answer | Refusal:
    """Tell what the author wrote."""
    written = (await parts.mailing(wanted.mailing)).draft
    if written is None:
        return NO_MAILING
    content = Content.model_validate_json(await parts.contents.get(written.content))
    hidden = {"content", "links", "notify", "webhook", "ab_test", "copied"}
    wrote = written.model_dump(mode="json", exclude=hidden)
    told = content.model_dump(
        mode="json",
        include={
            "subject",
            "preheader",
            "html",
            "text",
            "sender_name",
            "sender_address",
            "reply_to",
            "language",
            "zone",
            "variants",
            "headers",
            "attachments",
            "notify",
            "notify_url",
            "blind_copy",
        },
    )
    told["html"] = as_written(content)
    if content.html and content.text == text_from_html(told["html"]):  # made from the HTML, and made anew with it
        told["text"] = ""
    told["ab_test"] = await versions.written(parts, written.ab_test)
    return Answer(ok=True, data=wrote | told | {"mailing": wanted.mailing})


async def import_preview(parts: Parts, wanted: commands.PreviewImport) -> Answer | Refusal:
    """Show what an upload looks like."""
    seen = await parts.importer.preview(wanted)
    return seen if isinstance(seen, Refusal) else Answer(ok=True, data=seen)


async def chosen_sources(parts: Parts, wanted: commands.ChosenSources) -> Answer | Refusal:
    """Tell what was chosen of the audience."""
    state = await parts.mailing(wanted.mailing)
    if state.draft is None:
        return NO_MAILING
    campaign = await parts.campaign(state.draft.campaign)
    chosen, sources = state.chosen, state.chosen.sources
    ids = [*(campaign.opened.lists if campaign.opened else ()), *(sources.lists or ()), *sources.exclude]
    async with reading(parts.engine).connect() as conn:
        named = await lists.names(conn, [*ids, *([sources.helper.list] if sources.helper else ())])
    data = {"mailing": wanted.mailing, "sources": sources.model_dump(mode="json"), "lists": named}
    return Answer(ok=True, data=data | {"added": list(chosen.added), "removed": list(chosen.removed)})


async def audience(parts: Parts, wanted: commands.Audience) -> Answer | Refusal:
    """List the frozen audience with names and reasons."""
    frozen = (await parts.mailing(wanted.mailing)).audience
    if frozen is None:
        return Refusal(code="audience_missing", message="No audience is frozen.", field="mailing")
    if not frozen_rows.is_cursor(wanted.after):
        return _BAD_CURSOR
    cached = await parts.freezer.ensure_cached(wanted.mailing, frozen.object)
    async with reading(parts.engine).connect() as conn:
        rows = await frozen_rows.page(conn, cached, wanted)
    cursors = [row.pop("cursor") for row in rows]
    after = cursors[-1] if len(rows) == wanted.limit else ""
    data = {"rows": rows, "next": after, "recipients": frozen.recipients, "skipped": frozen.skipped}
    data["customers"] = frozen.customers or frozen.recipients
    return Answer(ok=True, data=data)


async def census(parts: Parts, _: commands.Census) -> Answer | Refusal:
    """Count what is on its way."""
    chunks, oldest, mailings = await Census(parts.engine, stuck_seconds=parts.settings.stuck_seconds).look()
    return Answer(ok=True, data={"chunks": dict(chunks), "oldest_seconds": oldest, "mailings": dict(mailings)})


QUERIES: dict[type[commands.Query], Query] = {
    commands.Accounts: accounts,
    commands.Mailboxes: mailboxes.mailboxes,
    commands.DomainKeys: signing.domain_keys,
    commands.Preflight: fitness.account_preflight,
    commands.Lists: all_lists,
    commands.ShowContact: contact_requests.show,
    commands.ListMembers: contact_requests.members,
    commands.BlockedDomains: blocked_domain_commands.listed,
    commands.CountSegment: segments.count_segment,
    commands.ImportStatus: import_status,
    commands.RejectedRows: rejected_rows,
    commands.Draft: draft,
    commands.PreviewMailing: preview.preview,
    commands.LintMailing: preview.lint_mailing,
    commands.PreviewImport: import_preview,
    commands.Audience: audience,
    **templates.QUERIES,
    **tracking_urls.QUERIES,
    **dry_run_requests.QUERIES,
    **series_requests.QUERIES,
    commands.ChosenSources: chosen_sources,
    commands.Census: census,
    commands.Forecast: foresight.ask,
    commands.Foresee: foresight.tried,
    commands.Tokens: administration.tokens,
    commands.Users: administration.users,
    commands.AuditTrail: audit.trail,
}


def register(requests: CommandRouter, parts: Parts) -> None:
    """Answer all queries with `parts`."""

    @requests.query(commands.LogTrust)
    async def _(_: commands.LogTrust, _caller: Caller) -> Answer | Refusal:
        why = await parts.guard.word()
        data = {"trusted": not why, "incarnation": parts.guard.incarnation, "why": why}
        return Answer(ok=True, data=data)

    for model, query in QUERIES.items():
        requests.query(model)(_waiting(parts, query))


def _waiting(parts: Parts, query: Query) -> Callable[[Any, Caller], Awaitable[Answer | Refusal]]:
    async def run(wanted: commands.Query, caller: Caller) -> Answer | Refusal:
        try:
            await parts.facts_at(caller.at_least, _FACTS_S)
        except TimeoutError:  # the caller asks again
            return Refusal(code="not_yet", message="The planner has not read so far yet; ask again.")
        return await query(parts, wanted)

    return run
