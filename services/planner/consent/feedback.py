"""Commands about what came back: hand in a mail that came back, and open a suppressed address again."""

from sqlalchemy import select

from services.planner.consent.suppressor import forget_soft
from services.planner.contacts.contacts import CONTACTS
from services.planner.facts import SUPPRESSION
from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.consent import EVERYTHING, SuppressionLifted
from shared.database import reading

_PROBLEMS = {
    "upload_missing": Refusal(code="upload_missing", message="The upload is not there (any more).", field="upload"),
    "unavailable": Refusal(code="unavailable", message="Neither log nor spool takes it at present: try it again."),
}


async def take_feedback(parts: Parts, wanted: commands.TakeFeedback, _act: Act) -> Answer | Refusal:
    """Have a tracker take an uploaded mail, then erase the upload."""
    asked = commands.HandedIn(upload=wanted.upload, parts=wanted.parts)
    raw = await parts.ask(subjects.desk(), asked.model_dump_json().encode())
    if raw is None:
        return Refusal(code="no_tracker", message="No tracker answered: is one running?")
    taken = commands.TakenIn.model_validate_json(raw)
    if taken.problem:
        unforeseen = Refusal(code="internal", message="The mail could not be taken; the tracker's log says why.")
        return _PROBLEMS.get(taken.problem, unforeseen)
    for part in range(wanted.parts):
        await parts.inbox.erase(subjects.upload_part(wanted.upload, part))
    return Answer(ok=True, data=taken.model_dump(exclude={"problem"}))


async def lift_suppression(parts: Parts, wanted: commands.LiftSuppression, act: Act) -> Answer | Refusal:
    """Open an address again that a bounce, a complaint or an operator closed; never one that a person left."""
    key = await _key(parts, wanted)
    if not key:
        return Refusal(code="contact_unknown", message="Name a contact that exists, or an address.", field="contact")
    s = SUPPRESSION.c
    await parts.facts_at(await parts.log.last_seq(subjects.ALL_CONSENT), 10.0)
    async with reading(parts.engine).connect() as conn:
        query = select(s.blocked, s.reason).where(s.address_key == key, s.scope == EVERYTHING)
        found = (await conn.execute(query)).one_or_none()
    if found is None or found[0] != "suppressed":
        said = "The person opted out: only they can take that back." if found and found[0] else "It is not suppressed."
        return Refusal(code="not_suppressed", message=said)
    async with parts.engine.begin() as conn:
        await forget_soft(conn, key)
    lifted = SuppressionLifted(address_key=key, scope=EVERYTHING, reason=wanted.reason)
    subject = subjects.consent(subjects.partition(key))
    seq = await parts.log.append_journal(subject, [lifted], origin=act.origin())
    return Answer(ok=True, position=seq, data={"reason": found[1]})


async def _key(parts: Parts, wanted: commands.LiftSuppression) -> str:
    if wanted.address:
        return parts.keys.address_key(wanted.address)
    async with reading(parts.engine).connect() as conn:
        return str(await conn.scalar(select(CONTACTS.c.address_key).where(CONTACTS.c.id == wanted.contact)) or "")
