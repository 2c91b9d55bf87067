"""A state machine over what we send, what a relay answers and where we die: the real line against the scripted server.

Random windows go over one connection slot of a lane, while the relay does whatever it likes at any phase, closes what
rests, and we are killed at any phase. After every step the witnesses must agree: what is said to be accepted is at the
relay, what is at the relay is accepted or in doubt, nothing is there twice, and no more than one connection is open.
"""

import asyncio
import os
import shutil
import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path

import uvloop
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from services.sender.journal.journal import Journal, read_evidence
from services.sender.replies.reply import Phase as At
from services.sender.smtp.connection import Connection
from services.sender.smtp.errors import RelayError
from services.sender.smtp.habits import Habits
from services.sender.smtp.line import Line
from services.sender.smtp.link import Timeouts
from services.sender.smtp.transport import Relay, connect
from services.sender.smtp.window import Mail, Result
from tests.faults.sending import ACCOUNT, free, mail
from tests.harness.smtp import Act, Options, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until

EXAMPLES = int(os.environ.get("POSTHASTE_MACHINE_EXAMPLES", "40"))
QUICK = Timeouts(mail=0.1, rcpt=0.1, data=0.1, block=0.1, dot=0.1, quit=0.1)

PHASES: tuple[Phase, ...] = ("dot", "data", "rcpt", "mail", "rset", "dot", "quit", "ehlo", "greeting")
BODIES = {"small": b"hello\r\n", "dots": b".\r\n..dots\n.\r", "long": b"long line of text\r\n" * 5_000}
ACTS = (
    Act(b"250 2.0.0 ok\r\n"),
    Act(b"354 go\r\n"),
    Act(b"451 4.3.0 later\r\n"),
    Act(b"550 5.1.1 no\r\n"),
    Act(b"250-one\r\n250 two\r\n"),
    Act(b"250 ok\r\n250 ok\r\n"),
    Act(b"421 4.3.2 bye\r\n", then="close"),
    Act(b"250 2.0.0 ok\r\n421 4.3.2 bye\r\n", then="close"),
    Act(b"250 2.0.0 ok\r\n", cut=(1, 3, 4, 13)),
    Act(b"550 5.1.1 no\r\n", trickle=True),
)
MUDDLES = (
    Act(b"250-yes\r\n550 no\r\n"),
    Act(b"2 0 ok\r\n"),
    Act(b"\xff" * 20),
    Act(b"x" * 5_000),
    Act(then="close"),
    Act(then="reset"),
    Act(then="hang"),
    Act(),
)
"""What is no reply. At the dot the relay may have taken the message all the same."""

RARELY = st.sampled_from((False, False, False, True))
WINDOWS = st.lists(
    st.tuples(st.sampled_from(("ok", "ok", "ok", "reject", "busy")), st.sampled_from(tuple(BODIES))),
    min_size=1,
    max_size=5,
)
WHIMS = st.lists(
    st.tuples(
        st.sampled_from(PHASES),
        st.integers(0, 3),
        st.sampled_from((*ACTS, *MUDDLES, *(replace(muddle, accept=True) for muddle in MUDDLES))),
    ),
    max_size=2,
)


class Relations(RuleBasedStateMachine):
    """We and a relay."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.folder = Path(tempfile.mkdtemp())
        self.server = ScriptedSmtp(self._script)
        self.habits = Habits()
        self.whims: dict[Phase, list[Act | None]] = {}
        self.dying: Phase | None = None
        self.slots = 0
        self.count = 0
        self.accepted: set[int] = set()
        self.doubtful: set[int] = set()
        self.run(self.server.start())
        self.line = self.run(self._line())

    def run(self, work):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - any coroutine, its result
        """Run on the loop of the example."""
        return self.runner.run(work)

    async def _line(self) -> Line:
        return Line(self._connect, self._journal, lambda: ACCOUNT)

    async def _connect(self) -> Connection:
        target = Relay("127.0.0.1", self.server.port, "none")
        return await connect(target, timeout=0.1, timeouts=QUICK, habits=self.habits)

    def _journal(self) -> Journal:
        self.slots += 1
        return Journal.open(self.folder / "journals", "machine", self.slots)

    def _script(self, _session: Session, phase: Phase) -> Act | None:
        if phase == self.dying:
            self.reached.set()
            return Act(then="hang", accept=True)
        whims = self.whims.get(phase)
        return whims.pop(0) if whims else None

    def _mails(self, window: list[tuple[str, str]]) -> list[Mail]:
        made = [mail(self.count + place, name, body=BODIES[body]) for place, (name, body) in enumerate(window)]
        self.count += len(made)
        return made

    @rule(pipelining=st.booleans(), flushes=RARELY, separate=st.booleans(), limit=st.sampled_from((0, 0, 2)))
    def relay_is_set_up_anew(self, *, pipelining: bool, flushes: bool, separate: bool, limit: int) -> None:
        """It offers something else from the next connection on."""
        self.server.options = Options(pipelining=pipelining, flushes=flushes, separate=separate, per_connection=limit)

    @rule(words=st.sampled_from((b"", b"421 4.4.2 idle\r\n", b"250 what\r\n", b"nonsense")))
    def relay_ends_what_rests(self, words: bytes) -> None:
        """It closes its connections, with or without a word."""
        for session in list(self.server.sessions):
            if words:
                session.say(words)
            session.close()
        self.run(asyncio.sleep(0))

    @rule()
    def we_rest(self) -> None:
        """So long passes that a pooled connection is not trusted any more."""
        self.line._used -= 60

    @rule()
    def we_close(self) -> None:
        """The lane has nothing to do."""
        self.run(self.line.close())

    @rule(window=WINDOWS, whims=WHIMS)
    def we_send(self, window: list[tuple[str, str]], whims: list[tuple[Phase, int, Act]]) -> None:
        """A window goes over the line, while the relay does something one of the next times it comes to a phase."""
        self.whims.clear()
        for phase, after, act in whims:
            self.whims.setdefault(phase, []).extend([*[None] * after, act])
        mails = self._mails(window)
        for result in self.run(self._send(mails)):
            self._note(result)

    async def _send(self, mails: list[Mail]) -> list[Result]:
        claim = self.line.journal.begin("m1", 0, self.count, [one.index for one in mails])
        results = await asyncio.wait_for(self.line.carry(mails, free, claim), 20)
        claim.end()
        assert [result.index for result in results] == [one.index for one in mails]
        return results

    def _note(self, result: Result) -> None:
        if result.phase == At.DOT and 200 <= result.code < 300:
            self.accepted.add(result.index)
        elif result.phase == At.DOT and not result.code:
            self.doubtful.add(result.index)
        else:
            assert result.code >= 400 or result.phase == At.NOT_SENT

    @rule(window=WINDOWS, phase=st.sampled_from(("mail", "rcpt", "data", "dot")))
    def we_die(self, window: list[tuple[str, str]], phase: Phase) -> None:
        """The process is killed when the relay has come to a phase; its journal tells the next one what was sent."""
        self.run(self._die(self._mails(window), phase))

    async def _die(self, mails: list[Mail], phase: Phase) -> None:
        self.whims.clear()
        self.dying, self.reached = phase, asyncio.Event()
        claim = self.line.journal.begin("m1", 1, self.count, [one.index for one in mails])
        sending = asyncio.ensure_future(self.line.carry(mails, free, claim))
        reached = asyncio.ensure_future(self.reached.wait())
        await asyncio.wait({sending, reached}, return_when=asyncio.FIRST_COMPLETED)
        left = self.folder / "left"
        shutil.rmtree(left, ignore_errors=True)
        left.mkdir()
        shutil.copy(self.line.journal.path, left / "dead.journal")  # as the killed process would leave it
        self.dying = None
        reached.cancel()
        sending.cancel()
        if self.line._connection is not None:
            self.line._connection.abort()
        await self.line.give_up()
        (proof,) = [found for found in read_evidence(left, "m1", 1) if found.seq == self.count]
        assert {one.index for one in mails} == proof.answered.keys() | proof.doubtful | proof.untouched
        for index, reply in proof.answered.items():
            self._note(Result(index, At(reply.phase), reply.code))
        self.doubtful |= proof.doubtful

    @invariant()
    def the_witnesses_agree(self) -> None:
        """Neither a silent mail nor an invented one, and none twice."""
        at_relay = Counter(int(entry.message_id[2:].partition("@")[0]) for entry in self.server.accepted)
        assert self.accepted <= at_relay.keys()
        assert at_relay.keys() <= self.accepted | self.doubtful
        assert all(times == 1 for times in at_relay.values())

    @invariant()
    def at_most_one_connection_is_open(self) -> None:
        """A slot is one connection; what it let go of is gone."""
        self.run(until(lambda: len(self.server.sessions) <= 1, 5))

    @invariant()
    def no_ended_connection_is_handed_out(self) -> None:
        """What the line opens can be used, or it says why it cannot be."""
        self.run(self._usable())

    async def _usable(self) -> None:
        if self.line._connection is None:
            return
        try:
            connection = await self.line.open()
        except RelayError:
            return
        assert not connection.botched
        assert not connection.spent

    def teardown(self) -> None:
        """End everything."""
        self.run(self.line.close())
        self.line.journal.close()
        self.run(self.server.stop())
        self.runner.close()
        shutil.rmtree(self.folder)


def test_whatever_a_relay_does_and_wherever_we_die_the_witnesses_agree() -> None:
    """Commands, replies and deaths in any order keep what the sender promises of every mail."""
    bounded = settings(
        max_examples=EXAMPLES,
        stateful_step_count=15,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    run_state_machine_as_test(Relations, settings=bounded)
