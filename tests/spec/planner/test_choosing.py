"""Rules of what may be chosen of a mailing's audience."""

import pytest

from services.planner.audience.choosing import MOST
from services.planner.mailings import orders
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailing import (
    MailingScheduled,
    RecipientAdded,
    RecipientRemoved,
    SourcesChosen,
)
from shared.contracts.sources import Cap, Helper, OfActivity, OfMailing, Sources
from tests.harness.decider_spec import Spec
from tests.spec.planner.test_planner_mailing import FROZEN, NOON, mailing

LISTS = ("l1", "l2")
ONE = Sources(lists=["l1"])


def choose(sources: Sources) -> orders.Choose:
    """Return the order to choose these, in a campaign with two lists."""
    return orders.Choose(sources, LISTS)


@pytest.mark.feature("G8", "G9", "G10", "G11", "B11")
@pytest.mark.parametrize(
    "sources",
    [
        ONE,
        Sources(lists=[], mailings=[OfMailing(mailing="m0", group="not_opened")]),
        Sources(lists=[], activities=[OfActivity(type="points awarded")]),
        Sources(lists=[], helper=Helper(list="l9")),
        Sources(helper=Helper(list="l9", mode="only"), exclude=["l8"], cap=Cap(mails=1, days=7)),
    ],
)
def test_sources_are_chosen_and_what_was_frozen_is_dropped(sources: Sources) -> None:
    """Any combination that may give somebody is taken."""
    chosen = mailing(FROZEN).when(choose(sources)).then(SourcesChosen(sources=sources))
    assert chosen.state.audience is None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("sources", "code"),
    [
        (Sources(lists=["l9"]), "list_not_in_campaign"),
        (Sources(lists=[]), "sources_empty"),
        (Sources(lists=[], helper=Helper(list="l9", mode="only")), "sources_empty"),
    ],
)
@pytest.mark.feature("G8")
def test_at_least_one_list_of_the_campaign_or_another_source(sources: Sources, code: str) -> None:
    """Other lists may help or exclude; an audience from nothing is refused."""
    mailing().when(choose(sources)).then(Refusal(code=code, message=""))


@pytest.mark.feature("P1")
def test_the_last_word_on_a_recipient_holds() -> None:
    """Removed, then added again; both drop the frozen audience, and a repetition says nothing new."""
    removed = mailing(RecipientAdded(contacts=["c1", "c2"]), FROZEN).when(orders.RemoveRecipients(("c1",)))
    assert removed.then(RecipientRemoved(contacts=["c1"])).state.audience is None  # type: ignore[attr-defined]
    again = mailing(RecipientRemoved(contacts=["c1"]))
    state = again.when(orders.AddRecipients(("c1", "c3"))).then(RecipientAdded(contacts=["c1", "c3"])).state
    assert (state.chosen.added, state.chosen.removed) == (("c1", "c3"), ())  # type: ignore[attr-defined]


def test_for_very_many_there_are_lists() -> None:
    """One by one is not how thousands are added."""
    many = tuple(f"c{at}" for at in range(MOST + 1))
    mailing().when(orders.AddRecipients(many)).then(Refusal(code="too_many_by_hand", message=""))


@pytest.mark.feature("P1", "G8")
@pytest.mark.parametrize(
    "command",
    [choose(ONE), orders.AddRecipients(("c1",)), orders.RemoveRecipients(("c1",))],
    ids=lambda c: type(c).__name__,
)
def test_once_a_start_is_set_nothing_is_chosen(command: orders.Command) -> None:
    """Withdraw the start first."""
    fixed: Spec[object, object] = mailing(FROZEN, MailingScheduled(at=NOON))
    fixed.when(command).then(Refusal(code="audience_fixed", message=""))


def test_nothing_chosen_is_plain() -> None:
    """The fast way of freezing is taken where only lists of the campaign count."""
    events: list[tuple[bool, DomainEvent]] = [
        (True, SourcesChosen(sources=ONE)),
        (False, SourcesChosen(sources=Sources(cap=Cap(mails=1, days=1)))),
        (False, RecipientAdded(contacts=["c"])),
        (False, RecipientRemoved(contacts=["c"])),
    ]
    for plain, event in events:
        assert mailing(event).state.chosen.plain is plain  # type: ignore[attr-defined]
