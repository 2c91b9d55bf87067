"""What came back from the wire, as groups of a RecipientsSettled: alike replies stand once. Pure.

The outcome is decided by phase and reply only. A mail that was not begun, or that met a 421 before its body, is
released uncharged; a dot without a reply is in doubt; a 4xx is deferred within its budget, else expired. So is a 5xx
that speaks of us (listed, not authenticated, over a quota of ours) and not of the mail: nobody is rejected for that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from operator import attrgetter

from services.sender.chunks import retry
from services.sender.replies.reply import Phase, classify
from services.sender.replies.retry_after import retry_after
from services.sender.replies.scrub import scrub
from services.sender.replies.verdict_rules import OF_US
from services.sender.shaping.rules import begins_anew
from services.sender.smtp.window import Result
from shared.contracts import ranges
from shared.contracts.sending import Group, Outcome

SKIP = "skip:"
"""A guard's reason that begins so names the event for which a recipient is skipped."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What settling needs to know besides the replies.

    Attributes:
        now: The present instant.
        addresses: Address by index, for scrubbing.
        tries: Tries before this one, by index.
        dates: First claim by index, seconds since 1970.
        retry_for: Budget in seconds since the first claim.
        jitter: In [0, 1), one for the whole window.
        deadline: The mailing's own.
    """

    now: datetime
    addresses: Mapping[int, str]
    tries: Sequence[int]
    dates: Mapping[int, int]
    retry_for: int
    back_off: retry.BackOff
    jitter: float
    deadline: datetime | None = None


@dataclass(slots=True)
class _Kin:
    """Recipients that fared alike."""

    indexes: list[int] = field(default_factory=list)
    queue_ids: list[str] = field(default_factory=list)
    at: list[int] = field(default_factory=list)


_ENCODED = frozenset("@=%+&\\")
"""Without these nothing of an address can hide in a spelling of its own."""

_Key = tuple[Outcome, int, str, str, datetime | None, str, str]


def groups(results: Iterable[Result], terms: Terms, base: int) -> list[Group]:
    """Return the groups of `results`; times count from `base` (milliseconds since 1970)."""
    kin: dict[_Key, _Kin] = {}
    for result in sorted(results, key=attrgetter("index")):
        key = _key(result, terms)
        found = kin.get(key)
        if found is None:
            found = kin[key] = _Kin()
        found.indexes.append(result.index)
        if key[0] == "accepted":
            found.at.append(result.at_ms - base)
            found.queue_ids.append(result.queue_id)
    return [_group(key, found) for key, found in kin.items()]


def _group(key: _Key, found: _Kin) -> Group:
    outcome, code, enhanced, text, until, cause, scope = key
    return Group(
        outcome=outcome,
        indexes=ranges.pack(found.indexes),
        code=code,
        enhanced=enhanced,
        text=text,
        queue_ids=found.queue_ids if any(found.queue_ids) else [],
        at=found.at,
        until=until,
        cause=cause,
        scope=scope,
    )


def _key(result: Result, terms: Terms) -> _Key:
    code, enhanced = result.code, result.enhanced
    if result.phase == Phase.NOT_SENT:
        if result.reason.startswith(SKIP):
            return ("skipped", 0, "", "", None, result.reason.removeprefix(SKIP), "")
        return ("released", 0, "", "", None, result.reason, "")
    if result.phase == Phase.DOT:
        if code == 0:
            return ("in_doubt", 0, "", "", None, result.reason, "")
        if 200 <= code < 300:
            return ("accepted", code, enhanced, _told(result, terms), None, "", "")
    elif code in (0, 421):
        return ("released", 0, "", "", None, result.reason or f"{code} {enhanced}".strip(), "")
    verdict = classify(result.phase, code, enhanced, result.text)
    text = _told(result, terms)
    if verdict.outcome == "rejected" and verdict.kind not in OF_US:
        return ("rejected", code, enhanced, text, None, "", verdict.scope)
    held = None
    if verdict.kind == "quota":
        held = begins_anew(text, terms.now, timedelta(seconds=terms.back_off.wait(1, 0.0, "quota")))
    budget = retry.Budget(terms.dates[result.index], terms.retry_for, terms.deadline)
    wait = terms.back_off.wait(terms.tries[result.index] + 1, terms.jitter, verdict.kind, retry_after(text))
    until = retry.next_try(terms.now, wait, budget, held)
    return ("deferred" if until else "expired", code, enhanced, text, until, "", verdict.scope)


def _told(result: Result, terms: Terms) -> str:
    """Return the reply text without the queue id and without a trace of the address."""
    text = result.text.replace(result.queue_id, "*") if result.queue_id else result.text
    address = terms.addresses[result.index]
    if _ENCODED.isdisjoint(text) and address.partition("@")[0].lower() not in text.lower():
        return text
    return scrub(text, address)
