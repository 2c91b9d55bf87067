"""Freeze a draft: what the author wrote becomes the `Content` that every mail of the mailing is made from.

In comes a draft command with the fields contacts have, out goes the content or a `Refusal` with field and line; nothing
is stored here. What this accepts, the sender can compile: headers without line breaks, addresses that can be sent from,
templates that parse, placeholders that are known or have a default, a size that bounds the sender's memory.
"""

import re
from collections.abc import Collection, Sequence
from zoneinfo import available_timezones

from services.planner.content.attachments import wrong_headers, wrong_references
from services.planner.content.plain_text import text_from_html
from shared import addresses, languages
from shared.contracts.commands import DraftMailing, Refusal
from shared.contracts.content import AttachedFile, Content, Variant
from shared.contracts.links import links_in_html, links_in_text
from shared.contracts.template import SYSTEM_FIELDS, check, placeholders

LANGUAGE = "language"
"""The field of a contact that chooses a variant."""

MAX_BODIES = 1_000_000
MAX_LINKS = 1_000
MAX_LIST_HEADER = 255

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BODY_CONTROL = re.compile("[\x00\ud800-\udfff]")
_LIST_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)+")


def freeze_content(
    draft: DraftMailing,
    known_fields: Collection[str],
    *,
    list_name: str,
    list_id: str,
    unsubscribe: bool = True,
    files: Sequence[AttachedFile] = (),
) -> Content | Refusal:
    """Return the frozen content of a draft, or why it is refused.

    Args:
        draft: What the author wrote.
        known_fields: Names of the fields contacts have, besides email and name.
        list_name: Name of the list in List-Id.
        list_id: List-Id without brackets, "" for none.
        unsubscribe: Whether an unsubscribe link is appended where the template has none.
        files: What goes with every mail.
    """
    said = _one(draft, known_fields, list_name=list_name, list_id=list_id, unsubscribe=unsubscribe, files=files)
    if isinstance(said, Refusal) or not draft.variants:
        return said
    variants: dict[str, Variant] = {}
    links = list(said.links)
    for code, variant in draft.variants.items():
        spoken = code.partition("-")[0]
        update = {"subject": variant.subject, "html": variant.html, "text": variant.text, "variants": {}}
        update |= {"language": spoken if spoken in languages.known() else draft.language}
        other = draft.model_copy(update=update)
        also = _one(other, known_fields, list_name=list_name, list_id=list_id, unsubscribe=unsubscribe, files=files)
        if isinstance(also, Refusal):
            return also.model_copy(update={"field": f"variants.{code}.{also.field}"})
        variants[code] = Variant(subject=also.subject, html=also.html, text=also.text, language=also.language)
        links += also.links
    links = list(dict.fromkeys(links))
    if len(links) > MAX_LINKS:
        message = f"{len(links)} links in all languages together; {MAX_LINKS} is the most"
        return Refusal(code="too_many_links", message=message, field="variants")
    return said.model_copy(update={"variants": variants, "links": links})


def _one(
    draft: DraftMailing,
    known_fields: Collection[str],
    *,
    list_name: str,
    list_id: str,
    unsubscribe: bool,
    files: Sequence[AttachedFile],
) -> Content | Refusal:
    """Return the content in one language."""
    return (
        _wrong_header(draft, list_name, list_id)
        or _wrong_language(draft.language)
        or _wrong_zone(draft.zone)
        or wrong_headers(draft.headers)
        or wrong_references(draft.html, files)
        or _wrong_address("sender_address", draft.sender_address)
        or (_wrong_address("reply_to", draft.reply_to) if draft.reply_to else None)
        or (_wrong_address("blind_copy", draft.blind_copy) if draft.blind_copy else None)
        or _wrong_notify(draft.notify)
        or _wrong_body(draft)
        or _wrong_template(draft, known_fields)
        or _frozen(draft, list_name, list_id, files, unsubscribe=unsubscribe)
    )


def _wrong_header(draft: DraftMailing, list_name: str, list_id: str) -> Refusal | None:
    for field, value in (("subject", draft.subject), ("sender_name", draft.sender_name), ("list", list_name)):
        if _CONTROL.search(value):
            message = "a line break or control character cannot stand in a header"
            return Refusal(code="control_character", message=message, field=field)
    if not draft.subject.strip():
        return Refusal(code="empty_subject", message="a mailing needs a subject", field="subject")
    if "{{" in draft.sender_name:
        message = "placeholders work in subject, html and text only"
        return Refusal(code="misplaced_placeholder", message=message, field="sender_name")
    if list_id and (not _LIST_ID.fullmatch(list_id) or len(list_id) + len(list_name.encode()) > MAX_LIST_HEADER):
        message = f"a List-Id looks like news.example.com and has at most {MAX_LIST_HEADER} octets with the list's name"
        return Refusal(code="bad_list_id", message=message, field="list")
    return None


def _wrong_language(code: str) -> Refusal | None:
    if code and code not in languages.known():
        message = f"there are texts in {', '.join(languages.known())}"
        return Refusal(code="language_unknown", message=message, field="language")
    return None


def _wrong_zone(name: str) -> Refusal | None:
    if name and name not in available_timezones():
        return Refusal(code="zone_unknown", message="a zone is called like Europe/Athens", field="zone")
    return None


def _wrong_address(field: str, address: str) -> Refusal | None:
    try:
        parsed = addresses.parse(address)
    except addresses.AddressError as error:  # the author mends it
        return Refusal(code="bad_address", message=f"this is no e-mail address: {error}", field=field)
    if not parsed.isascii():
        message = "the part before the @ must be ASCII: relays do not take other senders"
        return Refusal(code="bad_address", message=message, field=field)
    return None


def _wrong_notify(told: Sequence[str]) -> Refusal | None:
    for place, address in enumerate(told):
        try:
            addresses.parse(address)
        except addresses.AddressError as error:  # the author mends it
            return Refusal(code="bad_address", message=f"this is no e-mail address: {error}", field=f"notify.{place}")
    return None


def _wrong_body(draft: DraftMailing) -> Refusal | None:
    if not draft.html.strip() and not draft.text.strip():
        return Refusal(code="empty_body", message="a mailing needs an HTML or a text body", field="html")
    for field, source in (("html", draft.html), ("text", draft.text)):
        odd = _BODY_CONTROL.search(source)
        if odd is not None:
            line = source.count("\n", 0, odd.start()) + 1
            message = "this line holds a NUL or broken Unicode"
            return Refusal(code="control_character", message=message, field=field, line=line)
    size = len(draft.html.encode()) + len(draft.text.encode())
    if size > MAX_BODIES:
        message = f"HTML and text together take {size} bytes; {MAX_BODIES} is the most"
        return Refusal(code="too_large", message=message, field="html")
    return None


def _wrong_template(draft: DraftMailing, known_fields: Collection[str]) -> Refusal | None:
    problems = check({"subject": draft.subject, "html": draft.html, "text": draft.text}, known_fields)
    if not problems:
        return None
    first = problems[0]
    more = f" ({len(problems) - 1} more problems)" if len(problems) > 1 else ""
    message = f"line {first.line}, column {first.column}: {first.message}{more}"
    return Refusal(code=first.code, message=message, field=first.field, line=first.line)


def _frozen(
    draft: DraftMailing, list_name: str, list_id: str, files: Sequence[AttachedFile], *, unsubscribe: bool
) -> Content | Refusal:
    html = draft.html if draft.html.strip() else ""
    text = draft.text if draft.text.strip() else text_from_html(html)
    links = [link.url for link in [*links_in_html(html), *links_in_text(text)]]
    if len(links) > MAX_LINKS:
        message = f"{len(links)} links in HTML and text together; {MAX_LINKS} is the most"
        return Refusal(code="too_many_links", message=message, field="html")
    return Content(
        subject=draft.subject,
        html=html,
        text=text,
        links=list(dict.fromkeys(links)),
        sender_name=draft.sender_name,
        sender_address=addresses.parse(draft.sender_address),
        reply_to=addresses.parse(draft.reply_to) if draft.reply_to else "",
        list_name=list_name,
        list_id=list_id,
        unsubscribe=unsubscribe,
        language=draft.language,
        zone=draft.zone,
        campaign=draft.campaign,
        headers=draft.headers,
        attachments=list(files),
        notify=list(dict.fromkeys(map(addresses.parse, draft.notify))),
        notify_url=draft.notify_url,
        blind_copy=addresses.parse(draft.blind_copy) if draft.blind_copy else "",
    )


def uses(content: Content) -> set[str]:
    """Return the contact fields a payload row has to carry for this content, in lower case."""
    names = {LANGUAGE} if content.variants else set()
    for said in (content, *map(content.variant, content.variants)):
        for source, html in ((said.subject, False), (said.html, True), (said.text, False)):
            names |= placeholders(source, html=html)
    return names - SYSTEM_FIELDS
