"""Statuses of customers move forward, by what happened, as far as nobody else said something newer."""

import random
from collections.abc import Iterable

import pytest

from services.planner.statuses.moving import Change, Fate, Known, Said, Stand, changes, rank
from services.planner.statuses.standing import SAID_BY_ITSELF, Word, latest
from shared.contracts.statuses import ORDER, CustomerOutcome

WORDS: dict[CustomerOutcome, str] = {
    "sent": "Written to",
    "bounced": "Unreachable",
    "read": "Has read",
    "clicked": "Interested",
    "removed": "No mail",
}
NOBODY = Known({}, {}, {})


def fate(contact: str = "ann", outcome: str = "accepted", mailing: str = "m", **at: int) -> Fate:
    """Return what became of a mail: settled at 10 unless said, the rest never."""
    times = {"settled": 10, **at}
    names = ("settled", "opened", "clicked", "unsubscribed", "bounced", "complained")
    return Fate(contact, mailing, outcome, *(times.get(name) for name in names))


def moved(
    fates: Iterable[Fate], known: Known = NOBODY, words: dict[CustomerOutcome, str] | None = None
) -> list[Change]:
    """Return what moves by all words, or by some."""
    return changes(WORDS if words is None else words, fates, known)


@pytest.mark.parametrize(
    ("of", "outcome", "at"),
    [
        (fate(), "sent", 10),
        (fate(outcome="rejected"), "bounced", 10),
        (fate(bounced=12), "bounced", 12),
        (fate(opened=12), "read", 12),
        (fate(clicked=13), "clicked", 13),
        (fate(opened=12, clicked=13, bounced=14), "clicked", 13),
        (fate(clicked=13, unsubscribed=15), "removed", 15),
        (fate(complained=14, unsubscribed=15), "removed", 14),
    ],
)
def test_the_furthest_outcome_counts(of: Fate, outcome: CustomerOutcome, at: int) -> None:
    """Whatever came before it in the order is passed."""
    assert moved([of]) == [Change("ann", "m", outcome, WORDS[outcome], at)]


@pytest.mark.parametrize("outcome", ["pending", "deferred", "skipped", "expired", "cancelled", "in_doubt"])
def test_what_came_to_nothing_moves_nothing(outcome: str) -> None:
    """Nobody was written to."""
    assert moved([fate(outcome=outcome)]) == []


def test_an_outcome_that_is_not_mapped_moves_nothing() -> None:
    """The next one before it counts; whoever clicked has read."""
    assert moved([fate(clicked=13)], words={"removed": "No mail"}) == []
    assert moved([fate(clicked=13)], words={"sent": "Written to", "read": "Has read"}) == [
        Change("ann", "m", "read", "Has read", 13)
    ]


def test_a_status_never_goes_back() -> None:
    """Neither by the same outcome, nor by one before it, nor by a later mailing."""
    stood = Known({}, {"ann": Stand("clicked", "Interested", 13)}, {})
    assert moved([fate(opened=12, clicked=13)], stood) == []
    assert moved([fate(mailing="m2", settled=99)], stood) == []
    assert [change.outcome for change in moved([fate(unsubscribed=14)], stood)] == ["removed"]


def test_one_word_for_two_outcomes_is_set_once() -> None:
    """It stands already."""
    same: dict[CustomerOutcome, str] = {"read": "Interested", "clicked": "Interested"}
    stood = Known({}, {"ann": Stand("read", "Interested", 12)}, {})
    assert moved([fate(opened=12, clicked=13)], stood, same) == []


def test_addresses_of_one_customer_have_one_status() -> None:
    """The furthest of all its mails counts, and it is told once."""
    two = Known({"ann": "r1", "ann2": "r1"}, {}, {})
    assert moved([fate(), fate("ann2", clicked=12)], two) == [Change("ann2", "m", "clicked", "Interested", 12)]
    stood = Known({"ann": "r1", "ann2": "r1"}, {"r1": Stand("clicked", "Interested", 12)}, {})
    assert moved([fate("ann", opened=20)], stood) == []


def test_what_the_system_of_the_customer_said_is_not_undone_by_what_is_older() -> None:
    """What happens after it counts."""
    said = Known({}, {"ann": Stand("sent", "Written to", 10)}, {"ann": Said("Customer", 13)})
    assert moved([fate(opened=12, clicked=13)], said) == []
    assert moved([fate(opened=12, clicked=14)], said) == [Change("ann", "m", "clicked", "Interested", 14)]


def test_a_word_of_the_campaign_that_the_system_said_counts_as_reached() -> None:
    """Only what is beyond it moves on."""
    said = Known({}, {}, {"ann": Said("Interested", 13)})
    assert moved([fate(opened=14)], said) == []
    assert moved([fate(opened=14, clicked=15)], said) == []
    assert [change.outcome for change in moved([fate(unsubscribed=15)], said)] == ["removed"]


@pytest.mark.parametrize("seed", range(20))
def test_in_whatever_pieces_fates_come_a_status_ends_where_it_ends(seed: int) -> None:
    """Looking again and again moves forward only, sets nothing twice, and ends as one look at the end does."""
    chance = random.Random(seed)
    stands: dict[str, Stand] = {}
    at: dict[str, int] = {}
    told: list[CustomerOutcome] = []
    for now in range(10, 40):
        if chance.random() < 0.4:
            at[chance.choice(("opened", "clicked", "unsubscribed", "bounced"))] = now
        for change in moved([fate(**at)], Known({}, stands, {})):
            stands[change.contact] = Stand(change.outcome, change.status, change.at)
            told.append(change.outcome)
    places = [ORDER.index(outcome) for outcome in told]
    assert places == sorted(set(places))
    (end,) = moved([fate(**at)])
    assert stands["ann"].outcome == end.outcome


def test_of_all_words_the_last_one_is_the_status() -> None:
    """In the same second what the customer's system said, then the furthest outcome, in whatever order."""
    words = [
        ("ann", Word(5, rank("clicked"), "c1", "Interested")),
        ("ann", Word(9, rank("sent"), "c2", "Written to")),
        ("bob", Word(9, rank("removed"), "c1", "No mail")),
        ("bob", Word(9, SAID_BY_ITSELF, "", "Customer")),
        ("eve", Word(9, rank("sent"), "c2", "Written to")),
        ("eve", Word(9, rank("read"), "c1", "Has read")),
    ]
    wanted = {"ann": "Written to", "bob": "Customer", "eve": "Has read"}
    assert latest(words) == latest(reversed(words)) == wanted
