"""What is learnt of a relay from how its connections end, and for how long it is believed."""

from dataclasses import dataclass

from services.sender.smtp.habits import BELIEVED, BUSY, End, Habits
from services.sender.smtp.link import Timeouts
from services.sender.smtp.transport import GREETING


@dataclass
class Clock:
    """A clock that a test moves."""

    at: float = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


LOST = End(pipelined=True, unanswered=True, mismatched=True)


def dismissed(sent: int, rested: float = 0.0) -> End:
    """Return the end of a connection that the relay closed between two mails."""
    return End(pipelined=True, dismissed=True, sent=sent, rested=rested)


def test_lost_replies_end_pipelining_for_an_hour() -> None:
    """One mismatch is enough; it is believed until it expires."""
    clock = Clock()
    habits = Habits(clock)
    assert habits.pipelining
    habits.ended(LOST)
    assert not habits.pipelining
    clock.at = BELIEVED - 1
    assert not habits.pipelining
    clock.at = BELIEVED
    assert habits.pipelining


def test_silence_to_everything_says_nothing_of_pipelining() -> None:
    """A relay that answers none of the commands hangs; that is no mismatch."""
    habits = Habits(Clock())
    habits.ended(End(pipelined=True, unanswered=True))
    assert habits.pipelining


def test_the_same_silence_without_pipelining_clears_it_of_suspicion() -> None:
    """Where one command at a time is not answered either, the relay just hangs."""
    habits = Habits(Clock())
    habits.ended(LOST)
    habits.ended(End(pipelined=False, unanswered=True))
    assert habits.pipelining


def test_a_limit_is_learnt_when_two_connections_end_alike() -> None:
    """One end may be a restart; the second after as many messages is a limit, until it expires."""
    clock = Clock()
    habits = Habits(clock)
    habits.ended(dismissed(20))
    assert habits.limit == 0
    habits.ended(dismissed(20))
    assert habits.limit == 20
    clock.at = BELIEVED
    assert habits.limit == 0


def test_a_lower_limit_replaces_a_higher_one() -> None:
    """What is learnt later counts."""
    habits = Habits(Clock())
    for sent in (20, 20, 5, 5):
        habits.ended(dismissed(sent))
    assert habits.limit == 5


def test_idle_ends_and_our_own_teach_no_limit() -> None:
    """A relay that closes what rests, and our own goodbye, have nothing to do with a number of messages."""
    habits = Habits(Clock())
    for _ in range(3):
        habits.ended(dismissed(7, rested=BUSY))
        habits.ended(dismissed(0))
        habits.ended(End(pipelined=True, sent=7))
    assert habits.limit == 0


def test_time_outs_are_those_of_the_standard() -> None:
    """RFC 5321, 4.5.3.2; tests get a share of them, nobody else does."""
    assert GREETING == 300
    assert Timeouts(quit=5) == Timeouts(mail=300, rcpt=300, data=120, block=180, dot=600, quit=5)
    assert Timeouts().shortened(0.5) == Timeouts(mail=150, rcpt=150, data=60, block=90, dot=300, quit=2.5)
