"""Limits are merged default, provider, account; what slows down only lowers; a warm-up is a limit a day."""

from datetime import date
from pathlib import Path

import pytest

from services.sender.limits.rules import Rules
from shared.contracts.account import AccountAdded, AccountLimits, ProviderLimits, WarmUp, limits_on
from shared.providers import BUILT_IN, Providers, merged

ACCOUNT = AccountAdded(name="r", host="relay.example", port=587, senders=["a@example.com"], connections=8)


def test_a_later_layer_replaces_what_it_sets() -> None:
    """Default, provider, account; what a layer leaves open stays."""
    default = ProviderLimits(per_second=100, messages=100)
    provider = ProviderLimits(connections=5, messages=50)
    assert merged(default, provider, ProviderLimits(messages=10, per_hour=7)) == ProviderLimits(
        per_second=100, connections=5, messages=10, per_hour=7
    )
    assert merged(None, default, None) == default
    assert merged() == ProviderLimits()


def test_the_table_holds_what_large_providers_want() -> None:
    """Connections and mails a connection of those known to count."""
    wanted = {name: (p.connections, p.messages) for name, p in BUILT_IN.table.items() if p.connections or p.messages}
    assert wanted == {
        "gmail": (5, 50),
        "microsoft": (5, 50),
        "yahoo": (None, 20),
        "apple": (10, 5),
        "comcast": (25, 1000),
        "orange": (2, 100),
    }
    assert BUILT_IN.of_domain("googlemail.com") == "gmail"
    assert not BUILT_IN.of_domain("example.com")


@pytest.mark.feature("B4")
def test_a_domain_is_of_whoever_runs_all_its_mail_exchangers() -> None:
    """Names end at a label; one that runs elsewhere, or none at all, says nothing."""
    assert BUILT_IN.of_hosts(["aspmx.l.google.com.", "ALT1.aspmx.L.google.com", "aspmx2.googlemail.com"]) == "gmail"
    assert BUILT_IN.of_hosts(["firm-cz.mail.protection.outlook.com"]) == "microsoft"
    assert not BUILT_IN.of_hosts(["mx.notgoogle.com"])
    assert not BUILT_IN.of_hosts(["aspmx.l.google.com", "mx1.seznam.cz"])
    assert not BUILT_IN.of_hosts(["aspmx.l.google.com", "mx.firm.cz"])
    assert not BUILT_IN.of_hosts([])


def test_what_the_planner_knows_of_a_mail_says_whose_it_is_in_a_mixed_lane() -> None:
    """A provider found by mail exchangers counts in `rest`; in a lane of its own the lane does."""
    assert BUILT_IN.of_mail("rest", "ann@firm.cz", "seznam") == "seznam"
    assert BUILT_IN.of_mail("gmail", "ann@firm.cz", "seznam") == "gmail"
    assert BUILT_IN.of_mail("rest", "ann@firm.cz") == "rest"


def test_an_operators_file_adds_and_replaces(tmp_path: Path) -> None:
    """Fields it does not name stay; a field that is none is refused."""
    file = tmp_path / "providers.toml"
    file.write_text(
        '[gmail]\nmessages = 10\n[firm]\ndomains = ["firm.example"]\nper_minute = 60\n[default]\nper_hour = 9\n'
    )
    table = Providers.load(file)
    assert (table.limits("gmail").connections, table.limits("gmail").messages) == (5, 10)
    assert table.of_domain("firm.example") == "firm"
    assert table.limits("firm") == ProviderLimits(per_hour=9, per_minute=60)
    assert table.of_mail("rest", "Ann@FIRM.example") == "firm"
    assert table.of_mail("gmail", "ann@x.example") == "gmail"
    assert table.of_mail("rest", "ann@x.example") == "rest"
    file.write_text("[gmail]\nper_month = 10\n")
    with pytest.raises(ValueError, match="per_month"):
        Providers.load(file)


def test_limits_of_a_lane() -> None:
    """The account's, the provider's in its own lane, and what an account says of a provider comes last."""
    rules = Rules(BUILT_IN)
    lanes = ("prompt", "rest", "gmail")
    assert [rules.connections(ACCOUNT, lane) for lane in lanes] == [1, 8, 5]
    assert [rules.messages(ACCOUNT, lane) for lane in lanes] == [0, 0, 50]
    own = ACCOUNT.model_copy(update={"providers": {"gmail": ProviderLimits(connections=20, messages=70)}})
    assert rules.connections(own, "gmail") == 8
    assert rules.messages(own, "gmail") == 70
    few = own.model_copy(update={"limits": AccountLimits(messages=60)})
    assert [rules.messages(few, lane) for lane in lanes] == [60, 60, 60]
    assert rules.paced(ACCOUNT).providers == {}
    slow = ACCOUNT.model_copy(update={"providers": {"gmail": ProviderLimits(per_minute=9)}})
    assert rules.paced(slow).providers == {"gmail": ProviderLimits(connections=5, messages=50, per_minute=9)}


def test_a_warm_up_lowers_the_limit_of_the_day() -> None:
    """A missing day is as the one before; the ramp ends after its last day; it never raises a limit."""
    ramp = WarmUp(starts_on=date(2026, 11, 10), per_day={1: 50, 3: 200, 5: 1000})
    days = [ramp.limit(date(2026, 11, day)) for day in (1, 10, 11, 12, 13, 14, 15)]
    assert days == [50, 50, 50, 200, 200, 1000, None]
    account = ACCOUNT.model_copy(update={"limits": AccountLimits(per_day=100, per_hour=9), "warm_up": ramp})
    assert limits_on(account, date(2026, 11, 10)) == AccountLimits(per_day=50, per_hour=9)
    assert limits_on(account, date(2026, 11, 12)) == AccountLimits(per_day=100, per_hour=9)
    assert limits_on(account, date(2027, 1, 1)) == account.limits
