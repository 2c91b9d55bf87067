"""What one person would get, and what an author should know of a draft: to be looked at, nothing is sent.

In comes a frozen content with the fields of a contact, out go subject, HTML and text filled in as the sender does it,
with links that lead straight to their targets, so that nobody who looks counts as a click. A mail that cannot be made
is refused with the reason for which that recipient would be skipped.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import select

from services.planner.contacts import lists
from services.planner.contacts.contacts import CONTACTS
from services.planner.content.freezing import LANGUAGE
from services.planner.content.plain_text import text_from_html
from services.planner.content.preheader import as_written
from services.planner.parts import Parts
from services.planner.statuses import standing
from shared import addresses, clock, languages
from shared.contracts import commands
from shared.contracts.commands import Answer, Refusal
from shared.contracts.content import Content, spoken
from shared.contracts.expressions import Expression, ExpressionError
from shared.contracts.lint import lint
from shared.contracts.template import (
    LINKS,
    OPT_IN_LINK,
    OPT_IN_URL,
    UNSUBSCRIBE_LINK,
    VIEW_LINK,
    VIEW_URL,
    WAYS_OUT,
    Placeholder,
    Region,
    parse,
    placeholders,
    program,
)
from shared.database import reading

_NO_MAILING = Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")


class PreviewError(ValueError):
    """The mail cannot be made; the message is the cause for which the recipient would be skipped."""


def filled(source: str, field: str, values: Mapping[str, str], language: str) -> str:
    """Return a template filled in; links of the recipient's own become `#opt-out` and `#opt-in`.

    Raises:
        PreviewError: A field is missing, or an expression fails.
    """
    html = field == "html"
    pieces: list[str] = []
    last = 0
    for at in parse(source, html=html):
        pieces.append(source[last : at.start])
        last = at.end
        if isinstance(at, Region):
            pieces.append(_run(source, at, field, values, language))
        elif at.name in LINKS:
            pieces.append(_own(at.name, language, html=html))
        else:
            value = _value(at, values)
            pieces.append(escape(value) if html else value)
    return "".join([*pieces, source[last:]])


def _run(source: str, at: Region, field: str, values: Mapping[str, str], language: str) -> str:
    html = field == "html"
    own = [
        (part.start, part.end, _own(part.name, language, html=html))
        for part in at.parts
        if isinstance(part, Placeholder) and part.name in LINKS
    ]
    try:
        return Expression(program(source, at, own), html=html).render(values, {})
    except ExpressionError as error:
        raise PreviewError(f"does_not_render: {field}, line {at.line + error.line - 1}: {error.message}") from None


def _value(at: Placeholder, values: Mapping[str, str]) -> str:
    value = values.get(at.name)
    if not value and at.default is not None:
        return at.default
    if value is None:
        raise PreviewError(f"render: missing field {at.name}")
    return value


def _own(name: str, language: str, *, html: bool) -> str:
    words = languages.of(language).mail
    said = {UNSUBSCRIBE_LINK: words.unsubscribe, OPT_IN_LINK: words.confirm, VIEW_LINK: words.view}.get(name)
    opt_in, view = name in {OPT_IN_URL, OPT_IN_LINK}, name in {VIEW_URL, VIEW_LINK}
    target = "#opt-in" if opt_in else "#web-view" if view else "#opt-out"
    if said is None:
        return target
    return f'<a href="{target}">{escape(said)}</a>' if html else f"{said}: {target}"


def shown(content: Content, values: Mapping[str, str]) -> dict[str, str]:
    """Return subject, html and text of one mail.

    Raises:
        PreviewError: It cannot be made.
    """
    sources = {"subject": content.subject, "html": content.html, "text": content.text}
    made = {field: filled(source, field, values, content.language) for field, source in sources.items()}
    if content.unsubscribe:
        said = _own(UNSUBSCRIBE_LINK, content.language, html=True)
        if content.html and not placeholders(content.html, html=True) & WAYS_OUT:
            end = made["html"].lower().rfind("</body")
            end = end if end >= 0 else len(made["html"])
            made["html"] = f"{made['html'][:end]}<p>{said}</p>{made['html'][end:]}"
        if content.text and not placeholders(content.text) & WAYS_OUT:
            made["text"] += f"\n-- \n{_own(UNSUBSCRIBE_LINK, content.language, html=False)}\n"
    return made


async def preview(parts: Parts, wanted: commands.PreviewMailing) -> Answer | Refusal:
    """Show the mail one contact would get."""
    versions = (await parts.mailing(wanted.mailing)).versions
    if not versions:
        return _NO_MAILING
    if wanted.version not in versions:
        return Refusal(code="version_unknown", message=f"It has no version {wanted.version}.", field="version")
    content = Content.model_validate_json(await parts.contents.get(versions[wanted.version]))
    person = await _person(parts, wanted.contact)
    if isinstance(person, Refusal):
        return person
    contact, address, name, known = person
    language = spoken(str(known.get(LANGUAGE) or ""), content.variants)
    if language:
        content = content.variant(language)
    now = clock.now().astimezone(ZoneInfo(content.zone) if content.zone else UTC)
    values = {key.lower(): str(value) for key, value in known.items() if value is not None}
    values |= _told(now) | {"email": address, "name": name}
    try:
        made = shown(content, values)
    except PreviewError as error:
        return Refusal(code="does_not_render", message=f"{contact} would be skipped: {error}", field="contact")
    return Answer(ok=True, data={"mailing": wanted.mailing, "contact": contact, "to": address, **made})


def _told(now: datetime) -> dict[str, str]:
    return {"today": now.strftime("%Y-%m-%d"), "now": now.strftime("%Y-%m-%d %H:%M")}


async def _person(parts: Parts, wanted: str) -> tuple[str, str, str, dict[str, Any]] | Refusal:
    c = CONTACTS.c
    wanted_by = c.id == wanted
    if "@" in wanted:
        try:
            wanted_by = c.address_key == parts.keys.address_key(addresses.parse(wanted))
        except addresses.AddressError as error:  # refused with the reason
            return Refusal(code="address_invalid", message=f"{wanted!r}: {error}", field="contact")
    async with reading(parts.engine).connect() as conn:
        row = (await conn.execute(select(c.id, c.address, c.name, c.fields).where(wanted_by).limit(1))).one_or_none()
        if row is None:
            return Refusal(code="contact_unknown", message="There is no such contact.", field="contact")
        known = orjson.loads(row[3]) | await standing.field_of(conn, row[0])
    return row[0], row[1], row[2], known


async def lint_mailing(parts: Parts, wanted: commands.LintMailing) -> Answer | Refusal:
    """Look a draft over."""
    draft = (await parts.mailing(wanted.mailing)).draft
    if draft is None:
        return _NO_MAILING
    content = Content.model_validate_json(await parts.contents.get(draft.content))
    campaign = await parts.campaign(draft.campaign)
    async with reading(parts.engine).connect() as conn:
        known = await lists.fields(conn, campaign.opened.lists if campaign.opened else [])
    made = bool(content.html) and content.text == text_from_html(as_written(content))
    text = "" if made else content.text
    found = lint(content.subject, content.html, text, known, appended=content.unsubscribe)
    rows = [
        {
            "code": finding.code,
            "severity": finding.severity,
            "message": finding.message,
            "remedy": finding.remedy,
            "field": finding.field,
            "line": finding.line,
        }
        for finding in found
    ]
    return Answer(ok=True, data={"mailing": wanted.mailing, "findings": rows})
