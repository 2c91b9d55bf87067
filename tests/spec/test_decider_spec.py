"""The specification kit itself: what it accepts and what it must catch."""

import pytest

from shared.contracts.campaign import CampaignClosed, CampaignOpened
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from tests.harness.decider_spec import spec

OPENED = CampaignOpened(name="Spring", lists=["customers"])


class _Counting:
    """Opens at most twice; `again` opens without looking, which breaks the idempotence law."""

    def initial(self) -> int:
        return 0

    def evolve(self, state: int, event: DomainEvent) -> int:
        return state + isinstance(event, CampaignOpened)

    def decide(self, state: int, command: str) -> list[DomainEvent] | Refusal:
        if command == "again":
            return [OPENED]
        if command == "never":
            return Refusal(code="never", message="It is not possible.", field="name")
        return [] if state else [OPENED]


def test_events_that_are_decided_are_accepted() -> None:
    """Given, when, then in one sentence, and the state afterwards."""
    assert spec(_Counting()).when("open").then(OPENED).state == 1
    assert spec(_Counting()).given(OPENED).when("open").then_nothing().state == 1


def test_refusals_are_matched_by_code_and_field() -> None:
    """Messages may change their wording."""
    spec(_Counting()).when("never").then_refused("never", field="name")
    spec(_Counting()).when("never").then(Refusal(code="never", message=""))
    with pytest.raises(AssertionError):
        spec(_Counting()).when("never").then_refused("other")
    with pytest.raises(AssertionError):
        spec(_Counting()).when("never").then_refused("never", field="lists")
    with pytest.raises(AssertionError, match="not refused"):
        spec(_Counting()).when("open").then_refused("never")


def test_other_events_than_expected_are_an_error() -> None:
    """The difference is shown."""
    with pytest.raises(AssertionError, match="decided"):
        spec(_Counting()).when("open").then(CampaignClosed())
    with pytest.raises(AssertionError, match="refused"):
        spec(_Counting()).when("never").then(OPENED)


def test_a_command_that_acts_twice_breaks_the_law() -> None:
    """Unless the specification says why it rightly does."""
    with pytest.raises(AssertionError, match="once more"):
        spec(_Counting()).when("again").then(OPENED)
    spec(_Counting()).when("again").then(OPENED, repeats="every call opens one more")
