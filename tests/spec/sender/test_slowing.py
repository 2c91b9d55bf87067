"""Who of a chunk is next where providers are slowed and domains are limited."""

from datetime import UTC, datetime, timedelta

import pytest

from services.sender.chunks import chunk as chunks
from services.sender.gates.gates import AccountGate
from services.sender.work.slowing import Turn, shaped_turns
from shared.contracts.account import AccountAdded
from shared.contracts.relay import ProviderSlowed, ProviderSuspended
from shared.contracts.subjects import REST

T0 = datetime(2026, 11, 22, 9, tzinfo=UTC)
ACCOUNT = AccountAdded(name="r", host="relay.example", port=587, senders=["a@example.com"], connections=8)
DOMAINS = ["full.example", "full.example", "roomy.example", "gmail.com"]


def provider(index: int) -> str:
    """Return whose mail one is."""
    return "gmail" if DOMAINS[index] == "gmail.com" else REST


def fits(index: int) -> bool:
    """Tell whether a domain has room; Gmail is a provider, whose domains have no limit."""
    return DOMAINS[index] != "full.example"


def slowed(name: str) -> AccountGate:
    """Return an account of which one provider is slowed."""
    gate = AccountGate("acc1", ACCOUNT)
    gate.slowed[name] = ProviderSlowed(provider=name, rule="r", since=T0, per_hour=60, full=600, step=300)
    return gate


@pytest.mark.feature("B4")
def test_who_is_slowed_keeps_the_limits_of_domains_as_well() -> None:
    """A full domain takes no slot of the slowed rest, and whoever stands behind it is reached."""
    chunk, gate = chunks.initial(len(DOMAINS)), slowed(REST)
    found = shaped_turns(chunk, gate, provider, T0, 1, fits=fits)
    assert found.turns == [Turn([3]), Turn([2], REST)]
    assert shaped_turns(chunk, gate, provider, T0, 4, fits=lambda _index: False).turns == []


@pytest.mark.feature("B4")
def test_a_slowed_provider_comes_after_all_others_and_a_suspended_one_waits() -> None:
    """Each at its own pace; when the suspension ends is told."""
    chunk, gate = chunks.initial(len(DOMAINS)), slowed("gmail")
    assert shaped_turns(chunk, gate, provider, T0, 9).turns == [Turn([0, 1, 2]), Turn([3], "gmail")]
    until = T0 + timedelta(hours=1)
    gate.suspended["gmail"] = ProviderSuspended(provider="gmail", rule="r", since=T0, until=until)
    found = shaped_turns(chunk, gate, provider, T0, 9)
    assert found.turns == [Turn([0, 1, 2])]
    assert found.reopens == until
