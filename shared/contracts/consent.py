"""Journal of consent (`evt.consent.<p>`, written by tracker and planner). Addresses only as keyed hash.

The last sequence per (address key, scope) wins. A scope is a list id, or `*` for every mailing of the brand.
"""

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.envelope import DomainEvent

EVERYTHING = "*"

How = Literal["page", "one-click", "mailto", "operator", "import"]


class _Act(DomainEvent):
    address_key: str = Field(pattern=r"^[0-9a-f]{16}$")
    scope: str


class OptedOut(_Act):
    """The person does not want mail of this scope. `comment` is the key of the text in PEOPLE."""

    TYPE: ClassVar[str] = "consent.opted_out/1"

    how: How
    mailing: str = ""
    n: int | None = None
    index: int | None = None
    comment: str = ""


class OptedIn(_Act):
    """The person wants mail of this scope (again)."""

    TYPE: ClassVar[str] = "consent.opted_in/1"

    how: How
    mailing: str = ""
    n: int | None = None
    index: int | None = None


class AddressSuppressed(_Act):
    """The address must not be mailed: a hard bounce, a complaint, an operator's order."""

    TYPE: ClassVar[str] = "consent.address_suppressed/1"

    reason: str
    source: str = ""


class SuppressionLifted(_Act):
    """The address may be mailed again."""

    TYPE: ClassVar[str] = "consent.suppression_lifted/1"

    reason: str = ""


BLOCKING: tuple[type[DomainEvent], ...] = (OptedOut, AddressSuppressed)

EVENTS = (OptedOut, OptedIn, AddressSuppressed, SuppressionLifted)
