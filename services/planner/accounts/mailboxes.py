"""Commands and the query about mailboxes. A password is sealed into SECRETS before the event that needs it.

Trackers read the mailboxes and say in the bucket MAILBOXES how that stands; the query shows it beside what the log has.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

from services.planner.accounts.mailbox import Add, Edit, Mailbox, MailboxDecider, RecordTest, Remove, problem
from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.mailbox import MailboxAdded, MailboxEdited, MailboxTested, Reading
from shared.eventlog.handling import Handled, handle
from shared.eventlog.store import EventLog

Result = Answer | Refusal

_UNKNOWN = Refusal(code="mailbox_unknown", message="There is no such mailbox.", field="mailbox")


async def add(parts: Parts, wanted: commands.AddMailbox, act: Act) -> Result:
    """Seal the password, then record the mailbox."""
    mailbox = act.new_id("mailbox")
    added = MailboxAdded(**wanted.model_dump(exclude={"password"}))
    if refusal := problem(added):
        return refusal
    await parts.secrets.put(subjects.mailbox_password(mailbox), parts.keys.seal(wanted.password))
    return _done(mailbox, await _order(parts, mailbox, Add(added), act))


async def edit(parts: Parts, wanted: commands.EditMailbox, act: Act) -> Result:
    """Seal a new password, then record how the mailbox is from now on."""
    changed = wanted.password is not None
    edited = MailboxEdited(**wanted.model_dump(exclude={"mailbox", "password"}), password_changed=changed)
    refusal = problem(edited)
    if refusal is None and (await _state(parts, wanted.mailbox)).there is None:
        refusal = _UNKNOWN
    if refusal is not None:
        return refusal
    if wanted.password is not None:
        await parts.secrets.put(subjects.mailbox_password(wanted.mailbox), parts.keys.seal(wanted.password))
    return _done(wanted.mailbox, await _order(parts, wanted.mailbox, Edit(edited), act))


async def test(parts: Parts, wanted: commands.TestMailbox, act: Act) -> Result:
    """Let any tracker try the mailbox out, and record what it saw."""
    settings = (await _state(parts, wanted.mailbox)).there
    if settings is None:
        return _UNKNOWN
    probe = commands.MailboxProbe(mailbox=wanted.mailbox, settings=settings)
    raw = await parts.ask(subjects.probe_mailbox(), probe.model_dump_json().encode())
    if raw is None:
        return Refusal(code="no_tracker", message="No tracker answered: is one running?")
    seen = commands.ProbeResult.model_validate_json(raw)
    tested = MailboxTested(working=seen.working, detail=seen.detail)
    done = await _order(parts, wanted.mailbox, RecordTest(tested), act)
    if isinstance(done, Refusal):
        return done
    if not seen.working:
        return Refusal(code="mailbox_not_working", message=seen.detail, field="mailbox")
    data = {"mailbox": wanted.mailbox, "working": True, "detail": seen.detail}
    return Answer(ok=True, position=done.seq, data=data)


async def remove(parts: Parts, wanted: commands.RemoveMailbox, act: Act) -> Result:
    """Record that it is read no more, then overwrite its password."""
    done = await _order(parts, wanted.mailbox, Remove(), act)
    if not isinstance(done, Refusal):
        await parts.vault.erase(subjects.sealed(subjects.mailbox_password(wanted.mailbox)))
    return _done(wanted.mailbox, done)


async def mailboxes(parts: Parts, _: commands.Mailboxes) -> Result:
    """List the mailboxes, without secrets, and how reading them stands."""
    found = []
    async for mailbox, state in _all(parts.log):
        if state.there is None:
            continue
        kept = await parts.readings.get(mailbox)
        reading = Reading() if kept is None else Reading.model_validate_json(kept[0])
        found.append(
            {
                "mailbox": mailbox,
                **state.there.model_dump(mode="json"),
                "tested": state.tested is not None,
                "working": state.tested is not None and state.tested.working,
                **reading.model_dump(include={"state", "detail", "taken", "parked"}),
                "read_at": _instant(reading.read_at),
            }
        )
    return Answer(ok=True, data={"mailboxes": sorted(found, key=lambda row: (row["name"], row["mailbox"]))})


async def sealed_keys(log: EventLog) -> dict[str, str]:
    """Return where the passwords of mailboxes are, key in SECRETS -> id of the mailbox."""
    return {subjects.mailbox_password(mailbox): mailbox async for mailbox, state in _all(log) if state.there}


async def _all(log: EventLog) -> AsyncIterator[tuple[str, Mailbox]]:
    decider = MailboxDecider()
    found: dict[str, Mailbox] = {}
    async for commits in log.scan([subjects.ALL_MAILBOXES]):
        for commit in commits:
            mailbox = commit.subject.rpartition(".")[2]
            for record in commit.events:
                found[mailbox] = decider.evolve(found.get(mailbox, decider.initial()), record.event)
    for each in found.items():
        yield each


async def _state(parts: Parts, mailbox: str) -> Mailbox:
    decider = MailboxDecider()
    state = decider.initial()
    for commit in await parts.log.load(subjects.mailbox(mailbox)):
        for record in commit.events:
            state = decider.evolve(state, record.event)
    return state


async def _order(
    parts: Parts, mailbox: str, command: Add | Edit | RecordTest | Remove, act: Act
) -> Handled[Mailbox] | Refusal:
    return await handle(parts.log, MailboxDecider(), subjects.mailbox(mailbox), command, act.origin())


def _done(mailbox: str, done: Handled[Mailbox] | Refusal) -> Result:
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"mailbox": mailbox})


def _instant(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
