"""What the ledger finds, and what it does not complain about."""

import pytest

from services.reporting.ledger import Ledger, Report
from shared.contracts.mailing import DoubtDecided, MailingCancelled, MailingCompleted, MailingPaused
from tests.harness.story import Story, contact, group, hit

DONE = MailingCompleted(totals={})


def ledger(story: Story, *, named: list[tuple[str, int, int]] | None = None) -> Report:
    """Return the ledger of m1; the audience is what the chunks plan unless it is given."""
    fold = Ledger("m1")
    for commit in story.commits:
        for record in commit.events:
            fold.add(record)
    everybody = [(contact(n, index), n, index) for n in range(2) for index in range(4)]
    for line in everybody if named is None else named:
        fold.name(*line)
    return fold.close()


@pytest.fixture
def story() -> Story:
    """Return a story of eight recipients in two chunks."""
    told = Story()
    told.started("m1", 8, chunks=2)
    told.planned("m1", 0, 4)
    told.planned("m1", 1, 4)
    return told


def whys(report: Report) -> list[tuple[int, int, str, str]]:
    """Return the gaps as tuples."""
    return [(gap.n, gap.index, gap.contact, gap.why) for gap in report.gaps]


def test_a_finished_mailing_balances(story: Story) -> None:
    """Every outcome is counted, the sum is what was planned."""
    story.sent("m1", 0, [0, 1])
    story.sent("m1", 0, [2], "rejected")
    story.settled("m1", 0, group("skipped", [3], cause="evt"))
    story.sent("m1", 1, [0], "deferred")
    story.settled("m1", 1, group("expired", [0]))
    story.sent("m1", 1, [1], "in_doubt")
    story.settled("m1", 1, group("cancelled", [2, 3]))
    story.mailing("m1", DONE)
    report = ledger(story)
    assert report.balanced
    assert report.gaps == []
    expected = {"accepted": 2, "rejected": 1, "skipped": 1, "expired": 1, "cancelled": 2, "in_doubt": 1}
    assert report.totals == expected
    assert (report.planned, report.pending, report.completed) == (8, 0, True)


def test_a_running_mailing_balances_with_its_pending(story: Story) -> None:
    """Pending, deferred and not yet planned are no gaps while it runs."""
    story.sent("m1", 0, [0])
    story.sent("m1", 0, [1], "deferred")
    story.claimed("m1", 0, [2])
    report = ledger(story)
    assert report.balanced
    assert (report.totals["accepted"], report.pending) == (1, 7)


def test_who_is_pending_after_completion_is_a_gap(story: Story) -> None:
    """The ledger names each by place, contact and state."""
    story.sent("m1", 0, [0, 1, 2])
    story.sent("m1", 1, range(4))
    story.mailing("m1", DONE)
    report = ledger(story)
    assert not report.balanced
    assert whys(report) == [(0, 3, "p0x3", "pending, though the mailing is completed")]


def test_two_final_states_are_a_conflict(story: Story) -> None:
    """Accepted twice means mailed twice."""
    story.sent("m1", 0, [0])
    story.settled("m1", 0, group("rejected", [0]))
    assert whys(ledger(story)) == [(0, 0, "p0x0", "accepted, then rejected")]


def test_a_claim_after_a_final_state_is_a_conflict(story: Story) -> None:
    """Nobody may be claimed again who has the mail."""
    story.sent("m1", 0, [1])
    story.claimed("m1", 0, [1])
    assert whys(ledger(story)) == [(0, 1, "p0x1", "accepted, then claimed again")]


def test_an_answer_without_a_claim_is_a_conflict(story: Story) -> None:
    """What was sent without a claim was sent without a fence."""
    story.settled("m1", 0, group("accepted", [2]))
    assert whys(ledger(story)) == [(0, 2, "p0x2", "accepted without a claim")]


def test_a_deferred_mail_may_be_claimed_again(story: Story) -> None:
    """Retries are the normal course of things."""
    story.sent("m1", 0, [0], "deferred")
    story.sent("m1", 0, [0], "released")
    story.sent("m1", 0, [0])
    assert ledger(story).balanced


def test_a_doubt_may_be_sent_again(story: Story) -> None:
    """The policy `resend` claims who is in doubt; the answer counts."""
    story.sent("m1", 0, [0], "in_doubt")
    story.sent("m1", 0, [0])
    report = ledger(story)
    assert report.balanced
    assert (report.totals["accepted"], report.totals["in_doubt"]) == (1, 0)


@pytest.mark.parametrize("before", [True, False])
def test_evidence_ends_a_doubt(story: Story, *, before: bool) -> None:
    """An open or an opt-out proves delivery, whether it stands before or after the doubt."""
    if before:
        story.hit(hit("f1", "m1", 0, 0))
    story.sent("m1", 0, [0, 1, 2], "in_doubt")
    if not before:
        story.hit(hit("f1", "m1", 0, 0), hit("f2", "other", 0, 2))
    story.opted_out("m1", 0, 1)
    report = ledger(story)
    assert report.balanced
    assert (report.totals["accepted"], report.totals["in_doubt"], report.evidence) == (2, 1, 2)


def test_a_decision_ends_a_doubt_and_may_be_settled_once_more(story: Story) -> None:
    """The operator decides, the sender repeats it for the record: one state."""
    story.sent("m1", 0, [0, 1], "in_doubt")
    story.mailing("m1", DoubtDecided(n=0, indexes="0-1", decision="accepted"))
    story.settled("m1", 0, group("accepted", [0], code=0, text=""))
    report = ledger(story)
    assert report.balanced
    assert report.totals["accepted"] == 2


def test_who_is_sent_again_after_completion_is_pending(story: Story) -> None:
    """A decision has the mail sent again: until it is settled it is pending, which is no gap; then all rules hold."""
    story.sent("m1", 0, range(4))
    story.sent("m1", 1, [0, 1, 2])
    story.sent("m1", 1, [3], "in_doubt")
    story.mailing("m1", DONE, DoubtDecided(n=1, indexes="3", decision="resend"))
    story.settled("m1", 1, group("released", [3], cause="evt"))
    report = ledger(story)
    assert report.balanced
    assert (report.totals["accepted"], report.totals["in_doubt"], report.pending) == (7, 0, 1)
    story.sent("m1", 1, [3], "deferred")
    assert ledger(story).balanced
    story.sent("m1", 1, [3])
    assert ledger(story).balanced
    story.settled("m1", 1, group("accepted", [3]))
    assert whys(ledger(story)) == [(1, 3, "p1x3", "accepted, then accepted")]


def test_a_cancelled_mailing_cancels_whom_it_never_planned() -> None:
    """Without a chunk nobody settles them, so the mailing does."""
    story = Story()
    story.started("m1", 8, chunks=2)
    story.planned("m1", 0, 4)
    story.sent("m1", 0, [0])
    story.mailing("m1", MailingCancelled())
    story.settled("m1", 0, group("cancelled", [1, 2, 3]))
    report = ledger(story)
    assert report.balanced
    assert (report.totals["cancelled"], report.pending) == (7, 0)


def test_plan_and_audience_must_name_the_same_people(story: Story) -> None:
    """A stranger in the plan, somebody missing from it and somebody named twice are gaps."""
    named = [(contact(n, index), n, index) for n in range(2) for index in range(4)]
    named[0] = ("stranger", 0, 0)
    named[5] = named[4]
    found = {(n, index, who) for n, index, who, _ in whys(ledger(story, named=named))}
    assert found == {(0, 0, "stranger"), (0, 0, ""), (1, 0, "p1x0"), (1, 1, "")}


def test_who_was_never_planned_is_a_gap_once_it_is_completed() -> None:
    """A chunk that was forgotten shows up by name."""
    story = Story()
    story.started("m1", 8, chunks=2)
    story.planned("m1", 0, 4)
    story.sent("m1", 0, range(4))
    story.mailing("m1", DONE)
    report = ledger(story)
    assert [gap[:3] for gap in whys(report)] == [(1, index, f"p1x{index}") for index in range(4)]
    assert report.pending == 4


def test_the_log_may_not_speak_of_who_was_never_planned(story: Story) -> None:
    """A settled recipient outside the plan is a gap, not a crash."""
    story.sent("m1", 0, [7])
    assert (0, 7, "", "in the log, but never planned") in whys(ledger(story))


def test_a_pause_changes_nothing_in_the_ledger(story: Story) -> None:
    """States of the mailing other than its end are of no concern."""
    story.mailing("m1", MailingPaused())
    assert ledger(story).balanced


def test_gaps_are_counted_beyond_those_listed() -> None:
    """A list of a million gaps helps nobody; the number stays true."""
    story = Story()
    story.started("m1", 3000, chunks=6)
    for n in range(6):
        story.planned("m1", n, 500)
    story.mailing("m1", DONE)
    report = ledger(story, named=[(contact(n, index), n, index) for n in range(6) for index in range(500)])
    assert (len(report.gaps), report.gap_count) == (1000, 3000)
