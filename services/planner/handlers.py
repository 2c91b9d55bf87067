"""The commands the planner answers on NATS: facts are looked up, the decider decides, what was decided is appended.

Every command runs under its idempotency key. A refusal changed nothing; an answer names the log position that holds its
events. The queries are in queries.py.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

from services.planner.accounts import mailboxes, signing
from services.planner.accounts.account import AccountDecider, Add, Edit, RecordTest, problem
from services.planner.audience import audience_commands
from services.planner.consent import consent_commands, feedback
from services.planner.contacts import blocked_domain_commands, contact_requests
from services.planner.content import templates, tracking_urls
from services.planner.idempotency import Act, once
from services.planner.intake.telling import tell_contacts
from services.planner.mailings import (
    campaigns,
    drafting,
    dry_run_requests,
    orders,
    series_requests,
    single_mails,
    standstill,
)
from services.planner.mailings.campaign import Campaign
from services.planner.mailings.doubts import open_doubts
from services.planner.mailings.orders import Command
from services.planner.mailings.test_mails import Sample
from services.planner.parts import Parts
from services.planner.principals import administration, sign_in
from services.planner.redrive import redrive
from services.planner.segments import requests as segments
from shared import clock
from shared.addresses import AddressError, parse
from shared.contracts import commands, subjects
from shared.contracts.account import AccountAdded, AccountEdited, AccountTested
from shared.contracts.commands import Answer, Refusal
from shared.contracts.mailing import AudienceFrozen, MailingDrafted, MailingEdited, MailingScheduled
from shared.eventlog.handling import handle
from shared.keys import KeyRingError
from shared.messaging.answers import Caller, CommandRouter

C = TypeVar("C", bound=commands.Command)
Result = Answer | Refusal
Handler = Callable[[Parts, Any, Act], Awaitable[Result]]


async def add_account(parts: Parts, wanted: commands.AddAccount, act: Act) -> Result:
    """Seal the password, then record the account."""
    account = act.new_id("account")
    added = AccountAdded(**wanted.model_dump(exclude={"password"}))
    refusal = problem(added)
    if refusal is not None:
        return refusal
    await parts.secrets.put(account, parts.keys.seal(wanted.password))
    done = await handle(parts.log, AccountDecider(), subjects.account(account), Add(added), act.origin())
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"account": account})


async def edit_account(parts: Parts, wanted: commands.EditAccount, act: Act) -> Result:
    """Seal a new password, then record how the account is from now on."""
    changed = wanted.password is not None
    edited = AccountEdited(**wanted.model_dump(exclude={"account", "password"}), password_changed=changed)
    refusal = problem(edited)
    if refusal is None and (await parts.account(wanted.account)).added is None:
        refusal = Refusal(code="account_unknown", message="There is no such account.", field="account")
    if refusal is not None:
        return refusal
    if wanted.password is not None:
        await parts.secrets.put(wanted.account, parts.keys.seal(wanted.password))
    done = await handle(parts.log, AccountDecider(), subjects.account(wanted.account), Edit(edited), act.origin())
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"account": wanted.account})


async def test_account(parts: Parts, wanted: commands.TestAccount, act: Act) -> Result:
    """Let any sender try the account out, and record what it saw."""
    state = await parts.account(wanted.account)
    if state.added is None:
        return Refusal(code="account_unknown", message="There is no such account.", field="account")
    if wanted.to and (refusal := _bad_address(wanted.to, "to")):
        return refusal
    added = state.added
    probe = commands.Probe(
        account=wanted.account,
        host=added.host,
        port=added.port,
        tls=added.tls,
        username=added.username,
        sender=added.senders[0],
        to=wanted.to,
    )
    raw = await parts.ask(subjects.probe(), probe.model_dump_json().encode())
    if raw is None:
        return Refusal(code="no_sender", message="No sender answered: is one running?")
    seen = commands.ProbeResult.model_validate_json(raw)
    tested = AccountTested(**seen.model_dump())
    subject = subjects.account(wanted.account)
    done = await handle(parts.log, AccountDecider(), subject, RecordTest(tested), act.origin())
    if isinstance(done, Refusal):
        return done
    if not seen.working:
        return Refusal(code="account_not_working", message=seen.detail, field="account")
    return Answer(ok=True, position=done.seq, data={"account": wanted.account, **seen.model_dump()})


async def import_contacts(parts: Parts, wanted: commands.ImportContacts, act: Act) -> Result:
    """Look at the header and put the import in line."""
    accepted = await parts.importer.accept(wanted, act.principal)
    return accepted if isinstance(accepted, Refusal) else Answer(ok=True, data=accepted)


async def send_test(parts: Parts, wanted: commands.SendTest, act: Act) -> Result:
    """Plan a test mail to each address; without any, to whoever asks."""
    to = wanted.to or await administration.own_address(parts, act.principal)
    if not to:
        message = "Name an address: only people who signed in have one of their own."
        return Refusal(code="no_own_address", message=message, field="to")
    for place, address in enumerate(to):
        if refusal := _bad_address(address, f"to.{place}"):
            return refusal
    state = await parts.mailing(wanted.mailing)
    if state.draft is None or state.status == "deleted":
        return audience_commands.NO_MAILING
    if refusal := (await parts.account_of(state)).refusal():
        return refusal
    campaign = await parts.campaign(state.draft.campaign)
    to = list(dict.fromkeys(map(parse, to)))
    sample = Sample(wanted.mailing, state, to, campaign.opened.lists if campaign.opened else [])
    sent = await parts.test_mails.send(sample, act.origin(wanted.mailing))
    if isinstance(sent, Refusal):
        return sent
    test, position = sent
    return Answer(ok=True, position=position, data={"mailing": wanted.mailing, "test": test, "recipients": len(to)})


def _bad_address(address: str, field: str) -> Refusal | None:
    try:
        parse(address)
    except AddressError as error:  # refused with the reason
        return Refusal(code="address_invalid", message=f"{address!r}: {error}", field=field)
    return None


async def schedule_mailing(parts: Parts, wanted: commands.ScheduleMailing, act: Act) -> Result:
    """Set the start."""
    state = await parts.mailing(wanted.mailing)
    campaign = await parts.campaign(state.draft.campaign) if state.draft else Campaign()
    order = orders.Schedule(wanted, clock.now(), await parts.account_of(state), campaign)
    return await parts.order(act, wanted.mailing, order)


async def approve_mailing(parts: Parts, wanted: commands.ApproveMailing, act: Act) -> Result:
    """Approve of the plan, where whoever asks had no part in it."""
    commits = await parts.log.load(subjects.mailing(wanted.mailing))
    made = (MailingDrafted, MailingEdited, AudienceFrozen, MailingScheduled)
    makers = {record.principal for commit in commits for record in commit.events if isinstance(record.event, made)}
    return await parts.order(act, wanted.mailing, orders.Approve(wanted.plan, act.principal not in makers))


async def choose_winner(parts: Parts, wanted: commands.ChooseWinner, act: Act) -> Result:
    """Choose what the rest gets, with the figures as they are now."""
    state = await parts.mailing(wanted.mailing)
    figures = await parts.figures.of(wanted.mailing, state) if state.testing and state.started else {}
    return await parts.order(act, wanted.mailing, orders.ChooseVersion(wanted.version, figures))


async def resume_mailing(parts: Parts, wanted: commands.ResumeMailing, act: Act) -> Result:
    """Go on."""
    state = await parts.mailing(wanted.mailing)
    return await parts.order(act, wanted.mailing, orders.Resume(clock.now(), await parts.account_of(state)))


async def decide_doubt(parts: Parts, wanted: commands.DecideDoubt, act: Act) -> Result:
    """Decide on recipients that are in doubt."""
    history = await parts.log.load(subjects.mailing(wanted.mailing))
    chunk = await parts.log.load(subjects.chunk(wanted.mailing, wanted.n))
    found, known = open_doubts(wanted.n, chunk, history)
    return await parts.order(
        act, wanted.mailing, orders.Decide(wanted.n, wanted.indexes, wanted.decision, found, known)
    )


async def reseal_secrets(parts: Parts, _: commands.ResealSecrets, _act: Act) -> Result:
    """Seal anew what another key sealed; what somebody changes meanwhile is left to the next run."""
    resealed: list[str] = []
    closed: list[str] = []
    accounts = {account.id: account.id for account in await parts.board.accounts()}
    others = await signing.sealed_keys(parts.log) | await mailboxes.sealed_keys(parts.log)
    for key, name in (accounts | others).items():
        entry = await parts.secrets.get(key)
        if entry is None or parts.keys.sealed_by_first(entry[0]):
            continue
        try:
            secret = parts.keys.unseal(entry[0])
        except KeyRingError:  # nobody can open it any more: named in the answer
            closed.append(name)
            continue
        if await parts.secrets.swap(key, parts.keys.seal(secret), entry[1]) is not None:
            resealed.append(name)
    return Answer(ok=True, data={"active": parts.keys.active, "resealed": resealed, "closed": closed})


async def resume_after_restore(parts: Parts, wanted: commands.ResumeAfterRestore, act: Act) -> Result:
    """Confirm the log, and let go on what the guard had paused."""
    done = await parts.guard.confirm(act, keep_paused=wanted.keep_paused)
    data = {"incarnation": done.incarnation, "resumed": done.resumed, "left": done.left}
    return Answer(ok=True, position=done.position, data=data)


def _plain(make: Callable[[Any], Command]) -> Handler:
    async def run(parts: Parts, wanted: Any, act: Act) -> Result:  # noqa: ANN401 - any command that names a mailing
        return await parts.order(act, wanted.mailing, make(wanted))

    return run


HANDLERS: dict[type[commands.Command], Handler] = {
    commands.AddAccount: add_account,
    commands.EditAccount: edit_account,
    commands.TestAccount: test_account,
    commands.ImportContacts: import_contacts,
    commands.TellContacts: tell_contacts,
    commands.TakeFeedback: feedback.take_feedback,
    commands.LiftSuppression: feedback.lift_suppression,
    **drafting.HANDLERS,
    commands.SendTest: send_test,
    commands.ScheduleMailing: schedule_mailing,
    commands.ApproveMailing: approve_mailing,
    commands.UnscheduleMailing: _plain(lambda _: orders.Unschedule()),
    commands.PauseMailing: _plain(lambda wanted: orders.Pause(wanted.reason)),
    commands.ChooseWinner: choose_winner,
    commands.ResumeMailing: resume_mailing,
    commands.StopEverything: standstill.stop_everything,
    commands.ResumeStopped: standstill.resume_stopped,
    commands.CancelMailing: _plain(lambda wanted: orders.Cancel(wanted.reason)),
    commands.ChangeRate: _plain(lambda wanted: orders.Rate(wanted.limits)),
    commands.DecideDoubt: decide_doubt,
    commands.DeleteMailing: _plain(lambda _: orders.Delete()),
    commands.Redrive: redrive,
    commands.AddMailbox: mailboxes.add,
    commands.EditMailbox: mailboxes.edit,
    commands.TestMailbox: mailboxes.test,
    commands.RemoveMailbox: mailboxes.remove,
    commands.AddDomainKey: signing.add_key,
    commands.UseDomainKey: signing.use_key,
    commands.RetireDomainKey: signing.retire_key,
    commands.ResealSecrets: reseal_secrets,
    commands.ResumeAfterRestore: resume_after_restore,
    commands.IssueToken: administration.issue_token,
    commands.RevokeToken: administration.revoke_token,
    commands.AddUser: administration.add_user,
    commands.ChangePermissions: administration.change_permissions,
    commands.SetPassword: administration.set_password,
    commands.RemoveUser: administration.remove_user,
    commands.SendMail: single_mails.send_mail,
    **templates.HANDLERS,
    **tracking_urls.HANDLERS,
    **audience_commands.HANDLERS,
    **campaigns.HANDLERS,
    **dry_run_requests.HANDLERS,
    **series_requests.HANDLERS,
    **consent_commands.HANDLERS,
    commands.RuleList: segments.rule_list,
    commands.RemoveFromList: contact_requests.remove,
    commands.BlockDomain: blocked_domain_commands.block,
}
QUIETER = (commands.PauseMailing, commands.StopEverything, commands.CancelMailing, commands.ResumeAfterRestore)
"""What may be asked while the log is not trusted."""
_ANSWER_IS_SECRET = frozenset({commands.IssueToken})


def register(requests: CommandRouter, parts: Parts) -> None:
    """Answer all commands with `parts`."""
    for model, handler in HANDLERS.items():
        requests.command(model)(_idempotent(parts, handler))
    for model, direct in sign_in.HANDLERS.items():
        requests.command(model)(partial(direct, parts))


def _idempotent(parts: Parts, handler: Handler) -> Callable[[Any, Caller], Awaitable[Result]]:
    async def run(wanted: commands.Command, caller: Caller) -> Result:
        why = await parts.guard.word()
        if why and not isinstance(wanted, QUIETER):
            return _restored(why)
        keep = type(wanted) not in _ANSWER_IS_SECRET
        return await once(parts.engine, parts.keys, caller, lambda act: handler(parts, wanted, act), keep=keep)

    return run


def _restored(why: dict[str, str]) -> Refusal:
    seen = "; ".join(f"{who}: {text}" for who, text in why.items())
    message = f"Nothing is done before `posthaste resume --after-restore`: {seen}."
    return Refusal(code="log_restored", message=message)
