"""Journal of consent (`evt.consent.<p>`, written by tracker and planner). Addresses only as keyed hash.

What holds for an (address key, scope) is the last act in the log, with one exception: an act that allows mail undoes
only what was said before it. One that was kept elsewhere while the log was away, and came after a newer refusal,
changes nothing (`after`). A refusal holds whenever it comes. A scope is a list id, or `*` for all mail of the brand.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.envelope import DomainEvent
from shared.instants import to_millis

EVERYTHING = "*"

How = Literal["page", "one-click", "mailto", "operator", "import", "confirmed", "producer"]
Reason = Literal["", "too_often", "not_interested", "never_signed_up", "other"]
REASONS: tuple[Reason, ...] = ("too_often", "not_interested", "never_signed_up", "other")


class Act(DomainEvent):
    """Something that was said or decided about mail of a scope to an address."""

    address_key: str = Field(pattern=r"^[0-9a-f]{16}$")
    scope: str


class OptedOut(Act):
    """The person does not want mail of this scope. `comment` and `words` are keys of texts in PEOPLE.

    Attributes:
        reason: What the person chose on the page.
        comment: What the person wrote.
        words: What the page said.
    """

    TYPE: ClassVar[str] = "consent.opted_out/1"

    how: How
    mailing: str = ""
    n: int | None = None
    index: int | None = None
    comment: str = ""
    reason: Reason = ""
    words: str = ""


class OptInRequested(Act):
    """Somebody asked for mail of this list; until the person confirms it, none of it is sent to the address.

    Attributes:
        mailing: The pseudo-mailing whose only mail asks for the confirmation.
    """

    TYPE: ClassVar[str] = "consent.opt_in_requested/1"

    how: How
    mailing: str = ""


class OptedIn(Act):
    """The person wants mail of this scope (again). `words` is the key of what the page said, in PEOPLE."""

    TYPE: ClassVar[str] = "consent.opted_in/1"

    how: How
    mailing: str = ""
    n: int | None = None
    index: int | None = None
    words: str = ""


class AddressSuppressed(Act):
    """The address must not be mailed: a hard bounce, a complaint, an operator's order.

    Attributes:
        mailing: Mailing of the mail that came back, where one is known; `n` and `index` say whose it was.
    """

    TYPE: ClassVar[str] = "consent.address_suppressed/1"

    reason: str
    source: str = ""
    mailing: str = ""
    n: int | None = None
    index: int | None = None


class SuppressionLifted(Act):
    """The address may be mailed again."""

    TYPE: ClassVar[str] = "consent.suppression_lifted/1"

    reason: str = ""


BLOCKING: tuple[type[DomainEvent], ...] = (OptedOut, OptInRequested, AddressSuppressed)

EVENTS = (OptedOut, OptInRequested, OptedIn, AddressSuppressed, SuppressionLifted)


@dataclass(frozen=True, slots=True)
class Held:
    """The act that holds for an address and a scope.

    Attributes:
        seq: Its position.
        at: When it was done, in milliseconds; of several refusals in a row the latest.
        blocks: Whether it forbids mail.
    """

    seq: int
    at: int
    blocks: bool


def moment(done: datetime, recorded: datetime) -> int:
    """Return when an act was done, in milliseconds; a clock that is ahead does not put it after its own record."""
    return to_millis(min(done, recorded))


def after(before: Held | None, act: Held) -> Held:
    """Return what holds once `act` stands behind `before` in the log."""
    if before is None or not before.blocks:
        return act
    if act.blocks:
        return Held(act.seq, max(act.at, before.at), blocks=True)
    return before if act.at < before.at else act
