"""Which statuses move: outcomes of mails in, changes out. Pure.

Rules:
1. Of what happened to a customer the furthest outcome counts that the campaign maps, in the order of the contracts.
2. Within a campaign a status moves forward in that order and never back, over all mailings and addresses.
3. What the customer's own system said holds against whatever happened before it (or in the same second).
4. Where the system said a word of the campaign, only an outcome beyond that word moves it.
5. A word that stands already is not set again.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from shared.contracts.statuses import ORDER, CustomerOutcome

_RANK = {outcome: place for place, outcome in enumerate(ORDER)}


def rank(outcome: CustomerOutcome) -> int:
    """Return the place of an outcome in the order."""
    return _RANK[outcome]


class Fate(NamedTuple):
    """What became of one mail; times are seconds since 1970."""

    contact: str
    mailing: str
    outcome: str
    settled_at: int | None
    opened_at: int | None
    clicked_at: int | None
    unsubscribed_at: int | None
    bounced_at: int | None
    complained_at: int | None


class Change(NamedTuple):
    """A status to set: `at` is when that happened which sets it."""

    contact: str
    mailing: str
    outcome: CustomerOutcome
    status: str
    at: int


class Stand(NamedTuple):
    """What a campaign set last for a customer."""

    outcome: CustomerOutcome
    status: str
    at: int


class Said(NamedTuple):
    """What the customer's own system said: the status, and when, in seconds since 1970."""

    status: str
    at: int


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the customers that the fates are about.

    Attributes:
        customers: Contact -> customer; contacts that are not here are customers of their own.
        stands: Customer -> what the campaign set last.
        said: Customer -> what its own system said last.
    """

    customers: Mapping[str, str]
    stands: Mapping[str, Stand]
    said: Mapping[str, Said]


def happened(fate: Fate) -> Iterator[tuple[CustomerOutcome, int]]:
    """Yield what happened to a mail, as outcomes that may set a status, with the time of each."""
    settled = fate.settled_at or 0
    if fate.outcome == "accepted":
        yield "sent", settled
    if fate.bounced_at is not None or fate.outcome == "rejected":
        yield "bounced", settled if fate.bounced_at is None else fate.bounced_at
    seen = [at for at in (fate.opened_at, fate.clicked_at) if at is not None]
    if seen:
        yield "read", min(seen)
    if fate.clicked_at is not None:
        yield "clicked", fate.clicked_at
    left = [at for at in (fate.unsubscribed_at, fate.complained_at) if at is not None]
    if left:
        yield "removed", min(left)


def changes(mapping: Mapping[CustomerOutcome, str], fates: Iterable[Fate], known: Known) -> list[Change]:
    """Return the statuses that move, one for each customer at most."""
    found: dict[str, Change] = {}
    for fate in fates:
        customer = known.customers.get(fate.contact, fate.contact)
        said = known.said.get(customer)
        for outcome, at in happened(fate):
            if outcome not in mapping or (said is not None and at <= said.at):
                continue
            before = found.get(customer)
            if before is None or (rank(outcome), -at) > (rank(before.outcome), -before.at):
                found[customer] = Change(fate.contact, fate.mailing, outcome, mapping[outcome], at)
    return [change for customer, change in found.items() if _moves(mapping, change, customer, known)]


def _moves(mapping: Mapping[CustomerOutcome, str], change: Change, customer: str, known: Known) -> bool:
    stand, said = known.stands.get(customer), known.said.get(customer)
    if stand is not None and rank(change.outcome) <= rank(stand.outcome):
        return False
    if said is None:
        return stand is None or change.status != stand.status
    now = stand.status if stand is not None and stand.at > said.at else said.status
    reached = [rank(outcome) for outcome, word in mapping.items() if word == said.status]
    return change.status != now and all(rank(change.outcome) > each for each in reached)
