"""Single mails: one mail to one person outside any campaign, as one chunk of its own in the prompt lane.

Payload first, then the plan; its id derives from the command, so the same command sends one mail. Whoever is out of all
mail, or must not be mailed, gets none, unless an operator insists: then the plan says so, and by whom it was asked for
stands in its commit. An opt-out that comes after the decision still holds it back, as it does for every mail.
"""

from dataclasses import replace

from services.planner.audience.freezing import digest
from services.planner.contacts.contacts import holder
from services.planner.content import templates
from services.planner.content.freezing import freeze_content
from services.planner.facts import out_of_all
from services.planner.idempotency import Act
from services.planner.parts import Parts
from services.planner.planning.chunks import by_itself, payload_row
from services.planner.statuses import standing
from shared.addresses import AddressError, parse
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, DraftMailing, Refusal
from shared.contracts.content import Content
from shared.contracts.template import placeholders
from shared.database import reading
from shared.ids import derived_id
from shared.steps import step

STRANGER = "single"
"""Contact of an address that is nobody's."""

_CAMPAIGN = "single"
_FACTS_S = 30.0


async def send_mail(parts: Parts, wanted: commands.SendMail, act: Act) -> Answer | Refusal:
    """Plan it."""
    try:
        address = parse(wanted.to)
    except AddressError as error:  # refused with the reason
        return Refusal(code="address_invalid", message=f"{wanted.to!r}: {error}", field="to")
    key = parts.keys.address_key(address)
    checked = await parts.log.last_seq(subjects.ALL_CONSENT)
    await parts.facts_at(checked, _FACTS_S)
    contact, name, known, blocked = await _person(parts, key)
    if blocked and not wanted.although_removed:
        message = f"No mail may go to this address ({blocked}); insist with although_removed."
        return Refusal(code="recipient_removed", message=message, field="to")
    said = await templates.taken(parts, wanted)
    if isinstance(said, Refusal):
        return said
    content = _frozen(said, known)
    if isinstance(content, Refusal):
        return content
    if refusal := (await parts.account(wanted.account)).refusal(content.sender_address):
        return refusal
    encoded = content.encoded()
    await parts.contents.put(digest(encoded), encoded)
    step("single.content")
    mail = derived_id(_CAMPAIGN, act.command_id)
    sources = ((content.subject, False), (content.html, True), (content.text, False))
    used = {field for source, html in sources for field in placeholders(source, html=html)}
    row = payload_row(contact, (address, name, key), [], {field: known[field] for field in sorted(used & set(known))})
    payload = await parts.planning.put(mail, 0, [row])
    plan = by_itself(mail, "single", wanted.account, digest(encoded), checked)
    plan = replace(plan, insisted=bool(blocked), by=act.principal)
    position = await parts.planning.append(plan, [contact], payload)
    return Answer(ok=True, position=position, data={"mail": mail, "contact": contact})


async def _person(parts: Parts, key: str) -> tuple[str, str, dict[str, str], str]:
    """Return contact, name and fields of an address, and why no mail may go there."""
    async with reading(parts.engine).connect() as conn:
        contact, name, fields = await holder(conn, key) or (STRANGER, "", {})
        fields |= await standing.field_of(conn, contact)
        return contact, name, fields, await out_of_all(conn, key)


def _frozen(said: commands.SendMail, known: dict[str, str]) -> Content | Refusal:
    shared = said.model_dump(exclude={"to", "although_removed", "subject"})
    if not said.subject.strip():
        return Refusal(code="empty_subject", message="a mail needs a subject", field="subject")
    draft = DraftMailing(**shared, subject=said.subject, campaign=_CAMPAIGN, name=_CAMPAIGN)
    return freeze_content(draft, known, list_name="", list_id="", unsubscribe=False)
