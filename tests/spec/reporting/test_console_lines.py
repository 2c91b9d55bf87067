"""What people type in lines of the console, there and back: warm-ups, limits of providers, rhythms in words."""

import pytest

from services.reporting.console import rhythms
from services.reporting.console.account_lines import providers_of, providers_told, warm_up_of, warm_up_told
from shared.contracts.account import ProviderLimits, WarmUp
from shared.contracts.commands import Refusal
from shared.contracts.series import Rhythm


def test_a_warm_up_is_told_as_it_is_typed() -> None:
    """What a form shows of a warm-up is read as the same warm-up, also with blanks in it; nothing is none."""
    ramp = WarmUp.model_validate({"starts_on": "2026-11-28", "per_day": {10: 5_000, 2: 1_000}})
    told = warm_up_told(ramp.model_dump(mode="json"))
    assert told == "2:1000, 10:5000"
    assert WarmUp.model_validate(warm_up_of("2026-11-28", told.replace(":", " : "))) == ramp
    assert warm_up_told(None) == ""
    assert warm_up_of("", "") is None


@pytest.mark.parametrize(
    ("starts_on", "days"), [("", "1:500"), ("2026-11-28", ""), ("2026-11-28", "1:500, 2"), ("x", ":")]
)
def test_half_a_warm_up_is_refused(starts_on: str, days: str) -> None:
    """It needs a day on which it starts, and mails for each day."""
    refused = warm_up_of(starts_on, days)
    assert isinstance(refused, Refusal)
    assert refused.field == "warm_up"


def test_limits_of_providers_are_told_as_they_are_typed() -> None:
    """A line for each provider, with the limits that it has."""
    limits = {
        "gmail": ProviderLimits(connections=5, seconds_between=0.25),
        "yahoo": ProviderLimits(per_hour=100_000_000),
    }
    told = providers_told({name: each.model_dump(mode="json") for name, each in limits.items()})
    assert told == "gmail: seconds_between=0.25, connections=5\nyahoo: per_hour=100000000"
    read = providers_of(told + "\n\n")
    assert not isinstance(read, Refusal)
    assert {name: ProviderLimits.model_validate(each) for name, each in read.items()} == limits
    for wrong in ("gmail", "gmail connections=5", "gmail: connections", "gmail:"):
        assert isinstance(providers_of(wrong), Refusal)


@pytest.mark.parametrize(
    ("rhythm", "told"),
    [
        ({"every": "day"}, "every day at 09:00 (UTC)"),
        ({"every": "week", "weekdays": [3, 0]}, "every Mon, Thu at 09:00 (UTC)"),
        (
            {"every": "month", "day": 31, "until": "2027-12-31", "times": 3},
            "on day 31 of the month at 09:00 (UTC), until 2027-12-31, 3 times in all",
        ),
    ],
)
def test_a_rhythm_is_said(rhythm: dict[str, object], told: str) -> None:
    """When it comes round, in words."""
    assert rhythms.told(Rhythm.model_validate(rhythm | {"at": "09:00"}).model_dump(mode="json")) == told
