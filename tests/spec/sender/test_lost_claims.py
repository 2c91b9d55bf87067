"""What journals know of a chunk whose log was restored to before their claims."""

from services.sender.chunks.chunk import Status
from services.sender.chunks.decisions import Advance, decide
from services.sender.chunks.takeover import lost
from services.sender.journal.journal import Evidence, Reply
from services.sender.replies.reply import Phase
from shared.contracts.commands import Refusal
from shared.contracts.sending import Group
from tests.spec.sender.test_chunk import after, taken

GOOD = Reply(250, "2.0.0", "Ok", int(Phase.DOT), 1)


def evidence(seq: int, answered: dict[int, Reply], doubtful: frozenset[int] = frozenset()) -> Evidence:
    """Return what a journal tells of a claim after the commit at `seq`."""
    return Evidence("m1", 0, seq, answered, doubtful, frozenset())


def test_who_was_accepted_under_a_claim_that_the_log_lost_is_accepted() -> None:
    """The log has them as open: they are settled, nobody of them gets it twice; a dot without a reply is in doubt."""
    chunk = taken()
    found = lost(chunk, [evidence(900, {0: GOOD, 2: GOOD}, frozenset({1}))])
    assert [(group.outcome, group.indexes) for group in found] == [("accepted", "0,2"), ("in_doubt", "1")]
    after(chunk, Advance(groups=tuple(found)))
    assert list(chunk.status) == [Status.ACCEPTED, Status.IN_DOUBT, Status.ACCEPTED, Status.PENDING]


def test_the_evidence_of_a_claim_that_the_log_holds_is_left_to_the_takeover() -> None:
    """What is claimed, or was claimed before what the log holds of the chunk, is not lost."""
    chunk = taken()
    before = chunk.seq
    after(chunk, Advance(claim=(0, 1), digests="", date=1))
    assert lost(chunk, [evidence(before, {0: GOOD})]) == []
    after(chunk, Advance(groups=(Group(outcome="released", indexes="0-1"),)))
    assert lost(chunk, [evidence(before, {0: GOOD})]) == []


def test_a_refusal_in_a_lost_claim_tells_nothing() -> None:
    """Who was not accepted is tried again."""
    refused = Reply(450, "4.2.0", "later", int(Phase.DOT), 1)
    assert lost(taken(), [evidence(900, {0: refused})]) == []


def test_nobody_is_settled_without_a_claim_for_another_cause() -> None:
    """Accepted without a claim is against the rules, but for what a journal proves."""
    decided = decide(taken(), Advance(groups=(Group(outcome="accepted", indexes="0"),)))
    assert isinstance(decided, Refusal)
    assert decided.code == "not_open"
