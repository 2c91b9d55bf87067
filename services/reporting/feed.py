"""What of the log integrators are told, and how: events of EVENTS in, messages for OUT out. Pure.

The same events give the same messages in the same order with the same ids, whoever makes them and however often. What
is written straight as plain data fits the models of shared.contracts.feed, which tests hold it to.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from shared.contracts import consent, feed, feedback, mailing, subjects
from shared.contracts.audience import ContactsImported, ContactsSynced
from shared.contracts.engagement import Hit, HitsRecorded
from shared.contracts.envelope import DomainEvent, EventRecord
from shared.contracts.ranges import unpack
from shared.contracts.sending import SINGLE, ChunkPlanned, Group, RecipientsSettled
from shared.contracts.statuses import StatusesSet

MOST = 500  # recipients or hits in one message

Data = dict[str, Any]
ChunkKey = tuple[str, int]

_EVENT_ID = re.compile(r"[0-9a-z]{6,}\.\d+")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Message:
    """One message for OUT."""

    subject: str
    id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is looked up to name people: the plans of chunks, and whose record a contact is (source, external id)."""

    chunks: Mapping[ChunkKey, ChunkPlanned]
    people: Mapping[str, tuple[str, str]]

    def person(self, key: ChunkKey, index: int) -> Data:
        """Return how a recipient is named; {} where nobody may know, or nobody does."""
        plan = self.chunks.get(key)
        if plan is None or not 0 <= index < len(plan.contacts) or not plan.contacts[index]:
            return {}
        return self.named(plan.contacts[index])

    def named(self, contact: str) -> Data:
        """Return how a contact is named."""
        source, external = self.people.get(contact, ("", ""))
        return {"contact": contact, "source": source, "external": external} if external else {"contact": contact}


_CHANGES: dict[type[DomainEvent], tuple[feed.Change, Callable[[Any], Data]]] = {
    mailing.MailingDrafted: ("drafted", lambda e: {"campaign": e.campaign}),
    mailing.MailingEdited: ("edited", lambda _: {}),
    mailing.SourcesChosen: ("edited", lambda _: {}),
    mailing.RecipientAdded: ("edited", lambda _: {}),
    mailing.RecipientRemoved: ("edited", lambda _: {}),
    mailing.AudienceFrozen: ("audience_frozen", lambda e: {"recipients": e.recipients}),
    mailing.MailingScheduled: ("scheduled", lambda e: _at(e.at)),
    mailing.MailingUnscheduled: ("unscheduled", lambda _: {}),
    mailing.SendingStarted: ("started", lambda e: _at(e.until)),
    mailing.WindowClosed: ("window_closed", lambda e: _at(e.opens)),
    mailing.WindowOpened: ("window_opened", lambda e: _at(e.until)),
    mailing.MailingPaused: ("paused", lambda e: {"reason": e.reason}),
    mailing.MailingResumed: ("resumed", lambda e: _at(e.until)),
    mailing.MailingCompleted: ("completed", lambda e: {"totals": e.totals}),
    mailing.MailingFailed: ("failed", lambda e: {"reason": e.reason}),
    mailing.MailingCancelled: ("cancelled", lambda e: {"reason": e.reason}),
    mailing.MailingDeleted: ("deleted", lambda _: {}),
}
_ACTS: dict[type[DomainEvent], str] = {
    consent.OptedOut: "opted_out",
    consent.OptInRequested: "opt_in_requested",
    consent.OptedIn: "opted_in",
    consent.AddressSuppressed: "suppressed",
    consent.SuppressionLifted: "suppression_lifted",
}

_RETURNED: dict[str, feed.Returned] = {
    "bounce": "bounced",
    "delayed": "delayed",
    "delivered": "delivered",
    "complaint": "complained",
    "not-spam": "not_spam",
    "reply": "replied",
    "auto-reply": "auto_replied",
}
"""What an event of what came back is -> what integrators are told; an opt-out is told as the consent it leads to."""

_OTHERS: tuple[type[DomainEvent], ...] = (
    *(ChunkPlanned, RecipientsSettled, HitsRecorded, *feedback.EVENTS),
    *(ContactsImported, ContactsSynced, StatusesSet),
)
HANDLES: frozenset[str] = frozenset(event.TYPE for event in (*_CHANGES, *_ACTS, *_OTHERS))
FILTERS = (
    *(subjects.ALL_MAILINGS, subjects.ALL_PLANS, subjects.ALL_CHUNKS),
    *(subjects.ALL_ENGAGEMENT, subjects.ALL_FEEDBACK, subjects.ALL_CONSENT, subjects.ALL_AUDIENCE),
    subjects.ALL_STATUSES,
)


def recipients_of(record: EventRecord) -> Iterator[tuple[ChunkKey, int]]:
    """Yield the recipients that an event is about: chunk and index."""
    match record.event:
        case RecipientsSettled(groups=groups):
            key = _chunk(record.subject)
            yield from ((key, index) for group in groups for index in unpack(group.indexes))
        case HitsRecorded(hits=hits):
            yield from (((hit.mailing, hit.n), hit.index) for hit in hits)
        case consent.OptedOut(mailing=str(of), n=int(n), index=int(index)):
            yield (of, n), index
        case consent.OptedIn(mailing=str(of), n=int(n), index=int(index)):
            yield (of, n), index
        case consent.AddressSuppressed(mailing=str(of), n=int(n), index=int(index)):
            yield (of, n), index
        case feedback.Answer(mailing=str(of), n=int(n), index=int(index)):
            yield (of, n), index
        case _:
            return


def contacts_of(record: EventRecord) -> Sequence[str]:
    """Return the contacts that an event names itself."""
    return record.event.contacts if isinstance(record.event, StatusesSet) else ()


def messages(record: EventRecord, known: Known) -> Iterator[Message]:
    """Yield what integrators are told of one event."""
    event = record.event
    match event:
        case RecipientsSettled():
            yield from _settled(record, event, known)
        case HitsRecorded():
            yield from _engaged(record, event, known)
        case feedback.Answer():
            yield from _returned(record, event, known)
        case StatusesSet():
            yield from _statuses(record, event, known)
        case ContactsImported() | ContactsSynced():
            yield _message(record, record.id, subjects.OUT_CONTACT, feed.ContactsChanged.TYPE, _contacts(event))
        case _ if (act := _ACTS.get(type(event))) is not None:
            yield _message(
                record, record.id, subjects.OUT_CONSENT, feed.ConsentChanged.TYPE, _consent(act, event, known)
            )
        case _ if (found := _CHANGES.get(type(event))) is not None:
            change, more = found
            of = record.subject.rpartition(".")[2]
            data = {"mailing": of, "change": change} | {name: value for name, value in more(event).items() if value}
            yield _message(record, record.id, subjects.out_mailing(of), feed.MailingChanged.TYPE, data)


def _settled(record: EventRecord, event: RecipientsSettled, known: Known) -> Iterator[Message]:
    key = _chunk(record.subject)
    plan = known.chunks.get(key)
    if plan is None or plan.kind in SINGLE:
        return
    base = _EPOCH + timedelta(milliseconds=event.base) if event.base else record.time
    rows = [row for group in event.groups if group.outcome != "released" for row in _rows(group, key, base, known)]
    subject = subjects.out_recipient(key[0])
    for place, part in _parts(rows):
        data = {"mailing": key[0], "recipients": part}
        yield _message(record, f"{record.id}{place}", subject, feed.RecipientsSettled.TYPE, data)


def _rows(group: Group, key: ChunkKey, base: datetime, known: Known) -> Iterator[Data]:
    said = {"code": group.code, "enhanced": group.enhanced, "reply": group.text, "cause": _cause(group)}
    common = {"outcome": group.outcome} | {name: value for name, value in said.items() if value}
    for place, index in enumerate(unpack(group.indexes)):
        at = base + timedelta(milliseconds=group.at[place]) if group.at else base
        yield known.person(key, index) | common | {"at": _stamp(at)}


def _cause(group: Group) -> str:
    """Return the cause as a word; what happened inside has none, but that an opt-out is the reason of a skip."""
    if _EVENT_ID.fullmatch(group.cause):
        return "opted_out" if group.outcome == "skipped" else ""
    return group.cause.partition(":")[0]


def _engaged(record: EventRecord, event: HitsRecorded, known: Known) -> Iterator[Message]:
    by_mailing: dict[str, list[Data]] = {}
    for hit in event.hits:
        plan = known.chunks.get((hit.mailing, hit.n))
        if plan is not None and plan.kind == "campaign":
            by_mailing.setdefault(hit.mailing, []).append(_hit(hit, plan, known))
    for of, hits in by_mailing.items():
        for place, part in _parts(hits):
            data = {"mailing": of, "hits": part}
            message_id = f"{record.id}.{of}{place}"
            yield _message(record, message_id, subjects.out_engagement(of), feed.EngagementRecorded.TYPE, data)


def _hit(hit: Hit, plan: ChunkPlanned, known: Known) -> Data:
    who = known.person((hit.mailing, hit.n), hit.index) if plan.tracking == "person" else {}
    what = {"id": hit.id, "kind": hit.kind, "at": _stamp(hit.at)}
    return who | what | ({} if hit.link is None else {"link": hit.link}) | ({"agent": hit.agent} if hit.agent else {})


def _returned(record: EventRecord, event: feedback.Answer, known: Known) -> Iterator[Message]:
    """Tell what came back where it is proven whose mail it was, and that it is no test."""
    what = _RETURNED.get(feedback.kind_of(event))
    if what is None or not event.proven or event.n is None or event.index is None:
        return
    key = (event.mailing, event.n)
    plan = known.chunks.get(key)
    if plan is None or plan.kind in SINGLE:
        return
    data = known.person(key, event.index) | {"mailing": event.mailing, "what": what}
    if isinstance(event, feedback.BounceReceived):
        said = {"reason": event.reason, "scope": event.scope, "permanent": event.permanent}
        said |= {"status": event.status, "code": event.reply_code}
        data |= {name: value for name, value in said.items() if value}
    yield _message(record, record.id, subjects.out_returned(event.mailing), feed.MailReturned.TYPE, data)


def _statuses(record: EventRecord, event: StatusesSet, known: Known) -> Iterator[Message]:
    base = _EPOCH + timedelta(seconds=event.base)
    rows = [
        known.named(contact) | {"at": _stamp(base + timedelta(seconds=after))}
        for contact, after in zip(event.contacts, event.at, strict=True)
    ]
    said = {"mailing": event.mailing, "outcome": event.outcome, "status": event.status}
    data = {"campaign": record.subject.rpartition(".")[2]} | said
    for place, part in _parts(rows):
        message_id = f"{record.id}{place}"
        yield _message(record, message_id, subjects.OUT_STATUSES, feed.StatusesChanged.TYPE, data | {"customers": part})


def _consent(act: str, event: Any, known: Known) -> Data:  # noqa: ANN401 - one of four events
    data: Data = {"act": act, "scope": event.scope}
    if how := getattr(event, "how", ""):
        data["how"] = how
    if of := getattr(event, "mailing", ""):
        data["mailing"] = of
        if getattr(event, "n", None) is not None and event.index is not None:
            data |= known.person((of, event.n), event.index)
    return data


def _contacts(event: ContactsImported | ContactsSynced) -> Data:
    counts = {"added": event.added, "updated": event.updated, "unchanged": event.unchanged}
    if isinstance(event, ContactsSynced):
        return {"by": "producer", "source": event.source} | counts
    return {"by": "import", "upload": event.upload, "list": event.list, "rejected": event.rejected} | counts


def _parts(rows: Sequence[Data]) -> Iterator[tuple[str, list[Data]]]:
    """Yield the rows in parts that fit into a message, each with what its id ends with."""
    left = iter(rows)
    for place in range(0, len(rows), MOST):
        yield f"-{place // MOST}" if place else "", list(islice(left, MOST))


def _message(record: EventRecord, message_id: str, subject: str, wire_type: str, data: Data) -> Message:
    event = {
        "specversion": "1.0",
        "id": message_id,
        "source": "posthaste",
        "type": wire_type,
        "subject": subject,
        "time": _stamp(record.time),
        "datacontenttype": "application/json",
        "data": data,
    }
    return Message(subject, message_id, orjson.dumps(event))


def _chunk(subject: str) -> ChunkKey:
    _, _, of, n = subject.split(".")
    return of, int(n)


def _at(instant: datetime | None) -> Data:
    return {} if instant is None else {"at": _stamp(instant)}


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
