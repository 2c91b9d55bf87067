"""What holds for an address: the last act, unless it was done before a refusal that came first."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.sender.gates.suppression import Suppression
from shared.contracts.consent import Held, OptedIn, OptedOut, after, moment
from shared.contracts.envelope import Commit, EventRecord

NOON = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = "0f3a9c5e7b1d2468"


def held(*acts: tuple[int, bool]) -> Held:
    """Return what holds after acts (time, blocks) in the order of the log."""
    now: Held | None = None
    for seq, (at, blocks) in enumerate(acts, 1):
        now = after(now, Held(seq, at, blocks))
    assert now is not None
    return now


def test_the_last_act_wins() -> None:
    """Out, in, out again."""
    assert held((1, True)).blocks
    assert not held((1, True), (2, False)).blocks
    assert held((1, True), (2, False), (3, True)).blocks


def test_an_opt_in_that_comes_late_does_not_undo_a_newer_refusal() -> None:
    """It was said before it, and waited in a spool."""
    assert held((10, True), (5, False)) == Held(1, 10, blocks=True)
    assert held((10, True), (7, True), (8, False)).blocks, "the refusal of 10 still stands"
    assert not held((10, True), (5, False), (11, False)).blocks


def test_a_refusal_that_comes_late_holds() -> None:
    """Whoever asked for no mail gets none: the person can come back by any link."""
    assert held((10, False), (5, True)).blocks


def test_a_clock_that_is_ahead_does_not_outlast_its_record() -> None:
    """What was recorded at noon was not done after noon."""
    assert moment(NOON + timedelta(minutes=5), NOON) == moment(NOON, NOON)
    assert moment(NOON - timedelta(minutes=5), NOON) < moment(NOON, NOON)


def commit(seq: int, at: int, *, out: bool) -> Commit:
    """Return one act as it stands in the log."""
    event = (OptedOut if out else OptedIn)(address_key=KEY, scope="l1", how="page")
    time = NOON + timedelta(seconds=at)
    record = EventRecord(f"e{seq}", event, "evt.consent.0", seq, 0, time, NOON + timedelta(hours=1))
    return Commit(seq=seq, subject="evt.consent.0", recorded_at=NOON + timedelta(hours=1), events=(record,))


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=1, max_size=8), st.randoms())
def test_senders_know_what_holds_in_whatever_order_they_hear(acts: list[tuple[int, bool]], chance: object) -> None:
    """The gap before a view is read after what follows it: the same is blocked."""
    commits = [commit(seq, at, out=out) for seq, (at, out) in enumerate(acts, 1)]
    chance.shuffle(commits)  # type: ignore[attr-defined]  # a Random
    view = Suppression(0, lambda *_: None)  # type: ignore[arg-type,return-value]  # nothing is read here
    for each in commits:
        view.apply(each)
    expected = held(*acts)
    assert view.blocks(KEY, ["l1"], 0) == (f"e{expected.seq}" if expected.blocks else "")
