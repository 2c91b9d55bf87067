"""The rules of a chunk, one by one and under random commands, replies and crashes."""

import copy
from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from services.sender.chunks import chunk as chunks
from services.sender.chunks.chunk import Chunk, Status
from services.sender.chunks.decisions import Advance, Command, Park, Take, decide
from shared.contracts import ranges
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.sending import (
    ChunkFinished,
    ChunkParked,
    ChunkPassed,
    ChunkStarted,
    Group,
    RecipientsClaimed,
    RecipientsSettled,
)

T0 = datetime(2026, 11, 22, 9, tzinfo=UTC)


def after(chunk: Chunk, *commands: Command) -> list[DomainEvent]:
    """Carry out `commands` and return what they caused."""
    events: list[DomainEvent] = []
    for command in commands:
        decided = decide(chunk, command)
        assert not isinstance(decided, Refusal), decided
        for event in decided:
            chunks.evolve(chunk, event, seq=chunk.seq + 1, recorded_at=T0)
        events += decided
    return events


def refused(chunk: Chunk, command: Command) -> str:
    """Return the code with which `command` is refused."""
    decided = decide(chunk, command)
    assert isinstance(decided, Refusal)
    return decided.code


def accepted(indexes: str) -> Group:
    """Recipients that the relay took."""
    return Group(outcome="accepted", indexes=indexes, code=250, enhanced="2.0.0", text="Ok")


def taken(size: int = 4, doubt: str = "hold") -> Chunk:
    """Return a chunk that worker `a` took up."""
    chunk = chunks.initial(size, doubt)  # type: ignore[arg-type]
    after(chunk, Take(job=1, worker="a"))
    return chunk


def test_a_chunk_goes_from_claim_to_finished() -> None:
    """Claim, settle and claim in one commit, settle: then it is passed and finished with its totals."""
    chunk = taken()
    first = after(chunk, Advance(claim=(0, 1), digests="x", date=5))
    second = after(chunk, Advance(groups=(accepted("0-1"),), claim=(2, 3), digests="y", date=6))
    last = after(chunk, Advance(groups=(accepted("2-3"),)))
    assert [type(e) for e in first] == [RecipientsClaimed]
    assert [type(e) for e in second] == [RecipientsSettled, RecipientsClaimed]
    assert [type(e) for e in last] == [RecipientsSettled, ChunkPassed, ChunkFinished]
    assert chunk.finished == {"accepted": 4}


def test_a_chunk_that_was_opened_again_finishes_again() -> None:
    """A decision has one sent again, which ends in doubt again: the totals are the same, and still it is said."""
    chunk = taken(2)
    doubt = Group(outcome="in_doubt", indexes="1", cause="no reply")
    after(chunk, Advance(claim=(0, 1)), Advance(groups=(accepted("0"), doubt)))
    assert chunk.finished == {"accepted": 1, "in_doubt": 1}
    after(chunk, Advance(groups=(Group(outcome="released", indexes="1", cause="decided"),)))
    assert chunk.finished is None
    events = after(chunk, Advance(claim=(1,)), Advance(groups=(doubt,)))
    assert events[-1] == ChunkFinished(totals={"accepted": 1, "in_doubt": 1})


def test_the_same_take_twice_emits_nothing() -> None:
    """A worker that already has the chunk for this job need not say so again."""
    chunk = taken()
    assert after(chunk, Take(job=1, worker="a")) == []


def test_what_is_claimed_or_final_cannot_be_claimed() -> None:
    """Nobody is sent twice within the rules."""
    chunk = taken()
    after(chunk, Advance(claim=(0, 1)))
    assert refused(chunk, Advance(claim=(1, 2))) == "not_claimable"
    after(chunk, Advance(groups=(accepted("0-1"),)))
    assert refused(chunk, Advance(claim=(0,))) == "not_claimable"


def test_a_final_outcome_stands() -> None:
    """An accepted mail cannot be settled once more."""
    chunk = taken()
    after(chunk, Advance(claim=(0,)), Advance(groups=(accepted("0"),)))
    assert refused(chunk, Advance(groups=(Group(outcome="rejected", indexes="0", code=550),))) == "not_open"


def test_a_pending_recipient_is_not_accepted_without_a_claim() -> None:
    """An acceptance nobody claimed would be a mail outside the promise."""
    assert refused(taken(), Advance(groups=(accepted("0"),))) == "not_open"


def test_a_takeover_accounts_for_every_claimed_recipient() -> None:
    """The next worker must say of each open claim what became of it."""
    chunk = taken()
    after(chunk, Advance(claim=(0, 1)))
    assert refused(chunk, Take(job=1, worker="b", redelivered=True)) == "claims_open"
    found = (accepted("0"), Group(outcome="in_doubt", indexes="1"))
    events = after(chunk, Take(job=1, worker="b", redelivered=True, found=found))
    assert events[0] == ChunkStarted(job=1, worker="b", takeover=True)
    assert chunk.having(Status.IN_DOUBT) == [1]


def test_a_doubt_is_held_until_it_is_decided() -> None:
    """Under `hold` a doubtful recipient is never claimable; a decision moves it once."""
    chunk = taken(1)
    after(chunk, Advance(claim=(0,)), Advance(groups=(Group(outcome="in_doubt", indexes="0"),)))
    assert chunk.finished == {"in_doubt": 1}
    assert chunk.claimable(T0, 10) == []
    released = Group(outcome="released", indexes="0", cause="decision.0")
    after(chunk, Advance(groups=(released,)))
    assert chunk.claimable(T0, 10) == [0]
    after(chunk, Advance(claim=(0,)), Advance(groups=(Group(outcome="in_doubt", indexes="0"),)))
    assert refused(chunk, Advance(groups=(released,))) == "not_open"


def test_a_decision_on_a_doubt_finishes_the_chunk_anew() -> None:
    """The totals that the decision changed are told."""
    chunk = taken(1)
    after(chunk, Advance(claim=(0,)), Advance(groups=(Group(outcome="in_doubt", indexes="0"),)))
    events = after(chunk, Advance(groups=(Group(outcome="accepted", indexes="0", cause="decision.0"),)))
    assert events[-1] == ChunkFinished(totals={"accepted": 1})


def test_the_resend_policy_sends_again_a_bounded_number_of_times() -> None:
    """Under `resend` a doubt goes back to pending three times, then it is held."""
    chunk = taken(1, "resend")
    for _ in range(chunks.MAX_RESENDS):
        after(chunk, Advance(claim=(0,)), Advance(groups=(Group(outcome="in_doubt", indexes="0"),)))
        assert chunk.claimable(T0, 1) == [0]
    after(chunk, Advance(claim=(0,)), Advance(groups=(Group(outcome="in_doubt", indexes="0"),)))
    assert chunk.finished == {"in_doubt": 1}


def test_the_first_pass_ends_once_with_the_deferred_named() -> None:
    """ChunkPassed comes when all were tried, not when the deferred are done."""
    chunk = taken(2)
    due = T0 + timedelta(minutes=5)
    late = Group(outcome="deferred", indexes="1", code=451, until=due)
    events = after(chunk, Advance(claim=(0, 1)), Advance(groups=(accepted("0"), late)))
    assert events[-1] == ChunkPassed(deferred=1, until=due)
    assert chunk.claimable(T0, 9) == []
    assert chunk.claimable(due, 9) == [1]
    events = after(chunk, Advance(claim=(1,)), Advance(groups=(accepted("1"),)))
    assert events[-1] == ChunkFinished(totals={"accepted": 2})


def test_the_date_of_the_first_claim_stays() -> None:
    """A retry renders with the Date of the first claim, so its bytes are the same."""
    chunk = taken(1)
    after(chunk, Advance(claim=(0,), date=100), Advance(groups=(Group(outcome="released", indexes="0"),)))
    after(chunk, Advance(claim=(0,), date=200))
    assert chunk.dates[0] == 100


def test_workers_that_die_without_progress_narrow_and_then_park() -> None:
    """Three takeovers narrow the window to one; the fourth parks the recipient at which they die, the rest goes on."""
    chunk = taken(2)
    for worker in "bcd":
        after(chunk, Take(job=1, worker=worker, redelivered=True))
    assert chunks.dying_at(chunk) is None
    after(chunk, Take(job=1, worker="e", redelivered=True))
    assert chunks.dying_at(chunk) == 0
    events = after(chunk, Park("workers die at this recipient", 0))
    assert events[0] == ChunkParked(reason="workers die at this recipient", index=0)
    assert chunk.claimable(T0, 9) == [1]


def test_progress_forgets_earlier_deaths() -> None:
    """A worker that got an answer shows that the recipient is not to blame."""
    chunk = taken(2)
    for worker in "bcd":
        after(chunk, Take(job=1, worker=worker, redelivered=True))
    after(chunk, Advance(claim=(0,)), Advance(groups=(accepted("0"),)))
    assert chunk.takeovers == 0


def test_blamed_addresses_are_named_at_the_end() -> None:
    """A rejection that is the address's fault stands in ChunkFinished, a policy rejection does not."""
    chunk = taken(2)
    groups = (
        Group(outcome="rejected", indexes="0", code=550, enhanced="5.1.1", scope="address"),
        Group(outcome="rejected", indexes="1", code=554, enhanced="5.7.1", scope="us"),
    )
    events = after(chunk, Advance(claim=(0, 1)), Advance(groups=groups))
    assert isinstance(events[-1], ChunkFinished)
    assert events[-1].address_rejected == "0"


class Life(RuleBasedStateMachine):
    """Workers claim, hear replies, crash and take over in any order; the world outside counts what it got."""

    def __init__(self) -> None:
        super().__init__()
        self.chunk = chunks.initial(7)
        self.log: list[DomainEvent] = []
        self.job = 0
        self.workers = 0
        self.wire: dict[int, int] = {}
        self.now = T0
        self._run(Take(job=1, worker="w0"))

    def _run(self, command: Command) -> None:
        decided = decide(self.chunk, command)
        assert not isinstance(decided, Refusal), decided
        for event in decided:
            chunks.evolve(self.chunk, event, seq=self.chunk.seq + 1, recorded_at=self.now)
        self.log += decided

    @rule(count=st.integers(1, 4))
    def claim(self, count: int) -> None:
        """Claim the next ones."""
        indexes = tuple(self.chunk.claimable(self.now, count))
        if indexes:
            self._run(Advance(claim=indexes, date=1))

    @precondition(lambda self: self.chunk.having(Status.CLAIMED))
    @rule(
        outcome=st.sampled_from(["accepted", "rejected", "deferred", "released", "lost"]),
        crash=st.booleans(),
        journal=st.booleans(),
    )
    def send(self, outcome: str, *, crash: bool, journal: bool) -> None:
        """Send one claimed mail; the worker may die before it can record the reply."""
        index = self.chunk.having(Status.CLAIMED)[0]
        if outcome in ("accepted", "lost"):
            self.wire[index] = self.wire.get(index, 0) + 1
        known = {
            "accepted": accepted(str(index)),
            "rejected": Group(outcome="rejected", indexes=str(index), code=550),
            "deferred": Group(outcome="deferred", indexes=str(index), code=451, until=self.now),
            "released": Group(outcome="released", indexes=str(index)),
            "lost": Group(outcome="in_doubt", indexes=str(index)),
        }[outcome]
        if not crash:
            self._run(Advance(groups=(known,)))
            return
        rest = [i for i in self.chunk.having(Status.CLAIMED) if i != index]
        doubt = Group(outcome="in_doubt", indexes=ranges.pack([index, *rest]))
        left = [Group(outcome="released", indexes=ranges.pack(rest))] if rest else []
        self.workers += 1
        found = (known, *left) if journal else (doubt,)
        self._run(Take(job=1, worker=f"w{self.workers}", redelivered=True, found=found))

    @precondition(lambda self: self.chunk.having(Status.PENDING, Status.DEFERRED))
    @rule()
    def cancel_one(self) -> None:
        """Settle an open recipient from outside."""
        index = self.chunk.having(Status.PENDING, Status.DEFERRED)[0]
        self._run(Advance(groups=(Group(outcome="cancelled", indexes=str(index), cause="c.0"),)))

    @invariant()
    def nobody_gets_two_mails(self) -> None:
        """Under `hold` the world has at most one mail a recipient."""
        assert all(count == 1 for count in self.wire.values())

    @invariant()
    def accepted_means_sent(self) -> None:
        """What is accepted was on the wire; what was on the wire is accepted, in doubt, or still claimed."""
        for index in self.chunk.having(Status.ACCEPTED):
            assert index in self.wire
        for index in self.wire:
            assert self.chunk.status[index] in (Status.ACCEPTED, Status.IN_DOUBT, Status.CLAIMED)

    @invariant()
    def finished_is_told_exactly_when_settled(self) -> None:
        """ChunkFinished stands in the log if and only if nobody is open, with totals that add up."""
        told = [event for event in self.log if isinstance(event, ChunkFinished)]
        assert bool(told) == self.chunk.settled or not self.chunk.settled
        if self.chunk.settled:
            assert sum(told[-1].totals.values()) == self.chunk.size

    @invariant()
    def replay_gives_the_same(self) -> None:
        """Folding the log again gives the same state."""
        again = chunks.initial(7)
        for event in copy.deepcopy(self.log):
            chunks.evolve(again, event, seq=again.seq + 1, recorded_at=self.now)
        assert (again.status, again.tries, again.finished) == (
            self.chunk.status,
            self.chunk.tries,
            self.chunk.finished,
        )


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
