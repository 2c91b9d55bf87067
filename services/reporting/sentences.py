"""What happened, in a sentence for people: one per event that the log of a mailing or campaign shows. Pure."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from shared.contracts import (
    account,
    audience,
    campaign,
    domain,
    log,
    mailing,
    relay,
    saved_template,
    sending,
    tracking_url,
)
from shared.contracts.account import PERIODS, Limits
from shared.contracts.envelope import DomainEvent


def _time(instant: datetime | None) -> str:
    return instant.isoformat(sep=" ", timespec="seconds").replace("+00:00", " UTC") if instant else ""


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


def _until(instant: datetime | None) -> str:
    return f" until {_time(instant)}" if instant else ""


def _whom(provider: str) -> str:
    return f"Provider {provider}" if provider else "The account"


def _limits(limits: Limits) -> str:
    given = [(name.removeprefix("per_"), getattr(limits, name, None)) for name in PERIODS]
    parts = [f"{most} {'an' if period == 'hour' else 'a'} {period}" for period, most in given if most]
    parts += [f"{limits.seconds_between:g} s between mails"] if limits.seconds_between else []
    return ", ".join(parts) or "none"


def _frozen(event: mailing.AudienceFrozen) -> str:
    left = "".join(f", {count} left out ({reason})" for reason, count in sorted(event.skipped.items()))
    return f"Audience fixed: {event.recipients} recipients in {event.chunks} chunks{left}"


def _dry_run(event: mailing.DryRunFinished) -> str:
    failed = f", {event.failed} cannot" if event.failed else ""
    return f"Dry run: {event.mails} mails can be made{failed}; the largest takes {event.largest} bytes"


def _sampled(event: mailing.SampleSent) -> str:
    when = (
        "somebody has to choose" if event.decides_at is None else f"the winner is chosen at {_time(event.decides_at)}"
    )
    return f"The sample of the A/B test was sent; {when}"


def _won(event: mailing.WinnerChosen) -> str:
    did = ", ".join(
        f"{letter}: {each.opened} opened and {each.clicked} clicked of {each.sent}"
        for letter, each in sorted(event.figures.items())
    )
    return f"Version {event.version} was chosen by {event.by}{f' ({did})' if did else ''}"


def _scheduled(event: mailing.MailingScheduled) -> str:
    deadline = f", not after {_time(event.deadline)}" if event.deadline else ""
    hours = f", {event.hours.start:%H:%M} to {event.hours.end:%H:%M}" if event.hours else ""
    return f"Scheduled for {_time(event.at)} ({event.zone}){hours}{deadline}"


def _completed(event: mailing.MailingCompleted) -> str:
    totals = ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in sorted(event.totals.items()) if count)
    return f"Completed: {totals or 'nobody'}"


def _tested(event: account.AccountTested) -> str:
    return f"Account {'works' if event.working else 'does not work'}{_because(event.detail)}"


def _imported(event: audience.ContactsImported) -> str:
    numbers = f"{event.added} added, {event.updated} updated, {event.unchanged} unchanged, {event.rejected} rejected"
    return f"Contacts imported into list {event.list}: {numbers}"


_SENTENCES: dict[type[DomainEvent], Callable[[Any], str]] = {
    campaign.CampaignOpened: lambda e: f"Campaign {e.name!r} opened",
    campaign.CampaignEdited: lambda e: f"Campaign {e.name!r} edited",
    campaign.CampaignClosed: lambda _: "Campaign closed",
    campaign.CampaignDeleted: lambda _: "Campaign deleted",
    mailing.MailingDrafted: lambda e: f"Mailing {e.name!r} drafted",
    mailing.MailingEdited: lambda e: f"Mailing {e.name!r} edited",
    mailing.SourcesChosen: lambda _: "Sources of the audience chosen",
    mailing.RecipientAdded: lambda e: f"Recipients added: {len(e.contacts)}",
    mailing.RecipientRemoved: lambda e: f"Recipients removed: {len(e.contacts)}",
    mailing.TestSent: lambda e: f"Test sent to {e.recipients} addresses ({e.test})",
    mailing.AudienceFrozen: _frozen,
    mailing.MailingScheduled: _scheduled,
    mailing.MailingApproved: lambda e: f"Plan {e.plan} approved",
    mailing.ApprovalWithdrawn: lambda _: "Approval withdrawn: the plan is another one",
    mailing.MailingUnscheduled: lambda _: "Start withdrawn",
    mailing.DryRunFinished: _dry_run,
    mailing.SendingStarted: lambda e: f"Sending started{_until(e.until)}",
    mailing.SampleSent: _sampled,
    mailing.WinnerChosen: _won,
    mailing.WindowClosed: lambda e: f"Outside the sending hours; goes on at {_time(e.opens)}",
    mailing.WindowOpened: lambda e: f"Inside the sending hours{_until(e.until)}",
    mailing.MailingPaused: lambda e: f"Paused{_because(e.reason)}",
    mailing.MailingResumed: lambda e: f"Resumed{_until(e.until)}",
    mailing.RateChanged: lambda e: f"Limits changed: {_limits(e.limits)}",
    mailing.DoubtDecided: lambda e: f"Doubt in chunk {e.n}, recipients {e.indexes}, decided: {e.decision}",
    mailing.MailingCompleted: _completed,
    mailing.MailingFailed: lambda e: f"Failed{_because(e.reason)}",
    mailing.MailingCancelled: lambda e: f"Cancelled{_because(e.reason)}",
    mailing.MailingDeleted: lambda _: "Deleted (hidden, history kept)",
    sending.ChunkParked: lambda e: f"A chunk waits for an operator{_because(e.reason)}",
    account.AccountAdded: lambda e: f"Account {e.name!r} added ({e.host}:{e.port})",
    account.AccountEdited: lambda e: f"Account {e.name!r} changed ({e.host}:{e.port}, {_limits(e.limits)})",
    account.AccountTested: _tested,
    domain.DomainKeyAdded: lambda e: f"Key {e.selector!r} ({e.algorithm}) of {e.domain} added",
    domain.DomainKeyUsed: lambda e: f"Key {e.selector!r} signs from now on",
    saved_template.TemplateSaved: lambda e: f"Template {e.name!r} saved",
    saved_template.TemplateDeleted: lambda _: "Template deleted",
    tracking_url.TrackingUrlSaved: lambda e: f"Tracking URL {e.name!r} saved",
    tracking_url.TrackingUrlDeleted: lambda _: "Tracking URL deleted",
    domain.DomainKeyRetired: lambda e: f"Key {e.selector!r} retired",
    relay.AccountPaused: lambda e: f"The relay refuses the account{_because(e.reason)}",
    relay.AccountReleased: lambda _: "The account may be used again",
    relay.ProviderSlowed: lambda e: f"{_whom(e.provider)} gets {e.per_hour} mails an hour, more and more ({e.rule})",
    relay.ProviderSuspended: lambda e: f"{_whom(e.provider)} gets nothing{_until(e.until)} ({e.rule})",
    relay.ProviderReleased: lambda e: f"{_whom(e.provider)} is no longer {e.what}",
    audience.ContactsImported: _imported,
    audience.ListFilled: lambda e: f"{e.contacts} contacts put on list {e.list}: {e.group} of mailing {e.mailing}",
    audience.MemberRemoved: lambda e: f"A contact was taken off list {e.list}",
    log.LogContinued: lambda e: (
        f"The log was restored and confirmed at position {e.end}; it goes on as {e.incarnation}"
    ),
}

TOLD: frozenset[str] = frozenset(event.TYPE for event in _SENTENCES)


def sentence(event: DomainEvent) -> str:
    """Return the sentence for an event of a type in `TOLD`."""
    return _SENTENCES[type(event)](event)
