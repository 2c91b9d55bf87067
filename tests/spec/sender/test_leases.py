"""Connections on loan: never more than the account allows, whoever renews when; nobody goes without for ever."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.limits import leases
from services.sender.limits.leases import LIFE, Most, Row
from shared.contracts.subjects import PROMPT

LANES = (PROMPT, "rest", "gmail")
GMAIL = 2


def most(account: int) -> Most:
    """Return what an account allows: one prompt connection, two for gmail."""
    return Most(account, lambda lane: {PROMPT: 1, "gmail": GMAIL}.get(lane, account))


@settings(max_examples=200, deadline=None)
@given(
    account=st.integers(1, 12),
    steps=st.lists(
        st.tuples(st.integers(0, 3), st.dictionaries(st.sampled_from(LANES), st.integers(0, 12)), st.floats(0, 1)),
        max_size=60,
    ),
)
def test_never_more_than_all_together_may_have(account: int, steps: list[tuple[int, dict[str, int], float]]) -> None:
    """Whoever renews with whatever it uses and wants: the account's number holds, and each lane's."""
    rows: dict[str, Row] = {}
    for who, wanted, part in steps:
        name = f"w{who}"
        before = rows.pop(name, Row(0))
        used = {lane: int(count * part) for lane, count in before.lanes.items()}
        total = Counter(wanted) | Counter(used)
        rows[name] = leases.row(rows.values(), used, total, most(account), 0.0)
        assert all(rows[name].lanes.get(lane, 0) >= count for lane, count in used.items())
        assert sum(each.total for each in rows.values()) <= account
        for lane in LANES:
            assert sum(each.lanes.get(lane, 0) for each in rows.values()) <= most(account).lane(lane)
        assert leases.read(leases.write(rows), 0.0) == rows


def test_who_goes_without_gets_its_share() -> None:
    """The first takes all; when a second one comes it keeps what is in use, and shares as that ends."""
    first = leases.row([], {}, {"rest": 20}, most(10), 0.0)
    assert first.lanes == {"rest": 9}
    assert first.starving
    second = leases.row([first], {}, {"rest": 20}, most(10), 0.0)
    assert (second.total, second.starving) == (0, True)
    first = leases.row([second], {"rest": 7}, {"rest": 20}, most(10), 1.0)
    assert first.lanes == {"rest": 7}
    first = leases.row([second], {"rest": 3}, {"rest": 20}, most(10), 2.0)
    assert first.lanes == {"rest": 5}
    assert leases.row([first], {}, {"rest": 20}, most(10), 2.0).lanes == {"rest": 4}


@pytest.mark.feature("G12")
def test_one_of_several_is_kept_for_prompt_mails() -> None:
    """A test mail never waits for a mailing, where the account has more than one connection."""
    bulk = leases.row([], {}, {"rest": 5}, most(3), 0.0)
    assert bulk.lanes == {"rest": 2}
    assert leases.row([bulk], {}, {PROMPT: 1}, most(3), 0.0).lanes == {PROMPT: 1}
    assert leases.row([], {}, {"rest": 5}, most(1), 0.0).lanes == {"rest": 1}


def test_the_row_of_a_dead_sender_runs_out() -> None:
    """What it had is free after its time."""
    stored = leases.write({"dead": leases.row([], {}, {"rest": 9}, most(10), 0.0)})
    assert set(leases.read(stored, LIFE - 1)) == {"dead"}
    assert leases.read(stored, LIFE + 1) == {}
