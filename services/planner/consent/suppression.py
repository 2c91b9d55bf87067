"""What follows for an address from something that came back. Pure.

The address is closed for good at a permanent bounce and at a complaint, at once; at bounces that pass, when so many
mailings bounced within a month, with no sign of life between. A complaint that is taken back opens what it closed, and
nothing else does by itself. Whoever is out of all mail already stays as they are, so no later lifting can undo what a
person said.
"""

from dataclasses import dataclass
from typing import Any

from services.planner.consent.returns import What
from shared.contracts.consent import EVERYTHING, AddressSuppressed, OptedOut, SuppressionLifted
from shared.contracts.envelope import DomainEvent

COMPLAINT = "complaint"
SOFT = "soft-bounces"
NOT_SPAM = "not-spam"
SOFT_WINDOW_DAYS = 30


@dataclass(frozen=True, slots=True)
class Return:
    """One proven event, and where it stands in the log."""

    id: str
    seq: int
    at: int
    what: What
    mailing: str
    n: int
    index: int
    address_key: str
    alone: bool
    reason: str
    source: str


@dataclass(frozen=True, slots=True)
class Standing:
    """The last act for an address and a scope: `opted_out`, `suppressed` or "", why, and where it stands in the log."""

    blocked: str = ""
    reason: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class Whom:
    """Whose mail came back: the address, the lists through which it was mailed, and how it stands by scope."""

    address_key: str
    lists: tuple[str, ...]
    standings: dict[str, Standing]

    def standing(self, scope: str = EVERYTHING) -> Standing:
        """Return how the address stands for a scope."""
        return self.standings.get(scope, Standing())


def consequences(came: Return, whom: Whom, *, soft: int, most_soft: int) -> list[DomainEvent]:
    """Return what is to be recorded; `soft` mailings bounced since a sign of life, `came` included."""
    now = whom.standing()
    if came.what == "not-spam":
        closed_by_it = now.blocked == "suppressed" and now.reason == COMPLAINT and now.seq < came.seq
        lifted = SuppressionLifted(address_key=whom.address_key, scope=EVERYTHING, reason=NOT_SPAM)
        return [lifted] if closed_by_it else []
    if now.blocked or now.seq > came.seq:  # out already, or somebody acted since: theirs is the last word
        return []
    mail: dict[str, Any] = {"mailing": came.mailing, "n": came.n, "index": came.index} if came.mailing else {}
    if came.what == "opt-out":
        return [
            OptedOut(address_key=whom.address_key, scope=scope, how="mailto", **mail)
            for scope in whom.lists or (EVERYTHING,)
            if not whom.standing(scope).blocked and whom.standing(scope).seq < came.seq
        ]
    reason = {"hard": came.reason, COMPLAINT: COMPLAINT, "soft": SOFT if soft >= most_soft else ""}.get(came.what, "")
    if not reason:
        return []
    common: dict[str, Any] = {"address_key": whom.address_key, "scope": EVERYTHING} | mail
    return [AddressSuppressed(**common, reason=reason, source=came.source)]


def meant(came: Return, key: str) -> bool:
    """Whether the event is about the address that was mailed: a report on several may name others as well."""
    return came.alone or not came.address_key or came.address_key == key
