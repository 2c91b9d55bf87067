"""The fault table through a real sender: what each recipient comes to in the log, and what the relay has.

A row hits the second of three recipients, or the connection; the other two always get their mail. `odd` gives the
attempts on the second as the log has them: what is released and tried again without being charged is not in it.
"""

from dataclasses import dataclass, field

import pytest

from tests.faults.rig import Rig, Told
from tests.harness.smtp import Act, Options, Phase, Script, Session

pytestmark = pytest.mark.asyncio(loop_scope="session")

TAKEN: tuple[Told, ...] = (("accepted", 250),)
DOUBT: tuple[Told, ...] = (("in_doubt", 0),)
CLOSING = Act(b"421 4.3.2 closing\r\n", then="close")


@dataclass(frozen=True)
class Row:
    """One fault.

    Attributes:
        when, act: At which phase, for the second recipient or the connection, the relay does what.
        times: How often it does, then it is polite.
        odd: Attempts on the second recipient.
        scope: Who is to blame at the end.
        arrived: Mails for it at the relay.
    """

    name: str
    when: Phase
    act: Act | bytes
    odd: tuple[Told, ...] = TAKEN
    times: int = 99
    scope: str = ""
    arrived: int | None = None
    options: dict[str, object] = field(default_factory=dict)

    def script(self) -> Script:
        """Return what the relay does."""
        left = [self.times]

        def script(session: Session, phase: Phase) -> Act | bytes | None:
            personal = phase in ("rcpt", "data", "body", "dot")
            mine = session.recipient.startswith("odd") if personal else self.when != "mail" or session.count == 1
            if phase != self.when or not mine or not left[0]:
                return None
            left[0] -= 1
            return self.act

        return script


def later(code: int) -> tuple[Told, ...]:
    """Return the attempts of a recipient that is deferred once."""
    return (("deferred", code), *TAKEN)


def refused(code: int) -> tuple[Told, ...]:
    """Return the attempt of a recipient that is rejected."""
    return (("rejected", code),)


ROWS = (
    Row("02 no greeting", "greeting", Act(then="hang"), times=1),
    Row("02 closed without greeting", "greeting", Act(then="close"), times=1),
    Row("03 greeting 421", "greeting", CLOSING, times=1),
    Row("03 greeting 450", "greeting", b"450 4.3.2 busy\r\n", times=1),
    Row("05 EHLO refused once by each connection, HELO taken", "ehlo", b"502 5.5.1 what?\r\n", times=1),
    Row("05 EHLO 451", "ehlo", b"451 4.3.0 later\r\n", times=1),
    Row("12 MAIL 451", "mail", b"451 4.3.0 later\r\n", later(451), times=1),
    Row("13 greylisted", "rcpt", b"451 4.7.1 Greylisted, try again later\r\n", later(451), times=1),
    Row("13 RCPT 450", "rcpt", b"450 4.2.1 busy\r\n", later(450), times=1),
    Row("14 unknown user", "rcpt", b"550 5.1.1 no such user\r\n", refused(550), scope="address"),
    Row("17 DATA 451", "data", b"451 4.3.0 later\r\n", later(451), times=1),
    Row("17 DATA 554", "data", b"554 5.6.0 no\r\n", refused(554), scope="content"),
    Row("18 421 to MAIL", "mail", CLOSING, times=1),
    Row("18 421 to RCPT", "rcpt", CLOSING, times=1),
    Row("18 421 to DATA", "data", CLOSING, times=1),
    Row("18 closed at MAIL", "mail", Act(then="close"), times=1),
    Row("18 closed at RCPT", "rcpt", Act(then="close"), times=1),
    Row("18 reset at RCPT", "rcpt", Act(then="reset"), times=1),
    Row("18 closed at DATA", "data", Act(then="close"), times=1),
    Row("20 closed after the dot, taken", "dot", Act(then="close", accept=True), DOUBT, arrived=1),
    Row("20 closed after the dot, not taken", "dot", Act(then="close", accept=False), DOUBT),
    Row("20 reset after the dot", "dot", Act(then="reset", accept=True), DOUBT, arrived=1),
    Row("20 silence after the dot", "dot", Act(then="hang", accept=True), DOUBT, arrived=1),
    Row("21 the reply to the dot comes too late", "dot", Act(b"250 ok\r\n", delay=4), DOUBT, arrived=1),
    Row("22 dot 451", "dot", b"451 4.3.0 later\r\n", later(451), times=1),
    Row("22 dot 554", "dot", b"554 5.6.0 no\r\n", refused(554), scope="content"),
    Row("22 dot 421", "dot", CLOSING, later(421), times=1),
    Row("29 trickled past the deadline", "rcpt", Act(b"250 2.1.5 x\r\n", trickle=True, each=0.2), times=1),
    Row("29 continuation without end", "rcpt", b"250-more\r\n" * 500, times=1),
    Row("29 line of a megabyte", "rcpt", b"250 " + b"x" * 1_000_000 + b"\r\n", times=1),
    Row("29 malformed code", "rcpt", b"2 0 ok\r\n", times=1),
    Row("29 mixed codes", "rcpt", b"250-yes\r\n550 no\r\n", times=1),
    Row("29 text that is no UTF-8", "rcpt", b"550 5.1.1 inconnu \xe9\xff\r\n", refused(550), scope="address"),
    Row("29 malformed code after the dot", "dot", Act(b"25O ok\r\n", accept=True), DOUBT, arrived=1),
    Row("30 replies cut", "rcpt", Act(b"250-2.1.5 a\r\n250 2.1.5 b\r\n", cut=(1, 4, 12, 13, 15))),
    Row("30 replies byte by byte", "dot", Act(b"250 2.0.0 ok\r\n", trickle=True)),
    Row("30 replies apart", "rcpt", b"250 2.1.5 ok\r\n", options={"separate": True}),
    Row("31 an extra reply", "rcpt", b"250 2.1.5 ok\r\n250 2.1.5 ok\r\n", times=1),
    Row("31 a missing reply", "dot", Act(None, accept=False), DOUBT),
    Row("32 PIPELINING offered but broken", "quit", Act(), options={"flushes": True}),
    Row("37 no reply to RCPT", "rcpt", Act(then="hang"), times=1),
    Row("no PIPELINING", "rcpt", b"550 5.1.1 no such user\r\n", refused(550), options={"pipelining": False}),
)


@pytest.mark.parametrize("row", [pytest.param(row, id=row.name) for row in ROWS])
async def test_each_fault_has_its_outcome_in_the_log_and_at_the_relay(rig: Rig, row: Row) -> None:
    """The second recipient comes to what the row says, the others are accepted at their first try, all once."""
    async with rig.trial(row.script(), Options(**row.options)) as trial:  # type: ignore[arg-type]
        await trial.plan()
        await trial.finished()
        assert [tuple(await trial.told(index)) for index in range(3)] == [TAKEN, row.odd, TAKEN]
        if row.scope:
            assert await trial.scope(1) == row.scope
        hit = row.arrived if row.arrived is not None else int(row.odd[-1] == TAKEN[0])
        assert trial.arrived() == {0: 1, 2: 1} | ({1: hit} if hit else {})


def lone_dot(session: Session, phase: Phase) -> Act | bytes | None:
    """Refuse the second recipient, take DATA all the same."""
    if phase == "rcpt" and session.recipient.startswith("odd"):
        return b"550 5.1.1 no such user\r\n"
    if phase == "data":
        return b"354 go ahead\r\n"
    return Act(b"250 2.0.0 fine\r\n", accept=False) if phase == "dot" and not session.recipient else None


async def test_16_a_refused_recipient_with_an_open_data_gets_no_empty_mail(rig: Rig) -> None:
    """A lone dot ends it, its verdict means nothing: the refusal stands and nothing is delivered."""
    async with rig.trial(lone_dot) as trial:
        await trial.plan()
        assert await trial.finished() == {"accepted": 2, "rejected": 1}
        assert await trial.told(1) == [("rejected", 550)]
        assert trial.arrived() == {0: 1, 2: 1}
        assert trial.server.connections == 1


async def test_20_the_policy_resend_sends_the_same_bytes_under_the_same_id(rig: Rig) -> None:
    """A doubt under `resend` is one more mail at most, byte for byte the first one."""
    row = Row("", "dot", Act(then="close", accept=True), times=1)
    async with rig.trial(row.script()) as trial:
        await trial.plan(doubt="resend")
        assert await trial.finished() == {"accepted": 3}
        assert await trial.told(1) == [("in_doubt", 0), ("accepted", 250)]
        assert trial.arrived() == {0: 1, 1: 2, 2: 1}
        twice = [entry for entry in trial.server.accepted if entry.recipient.startswith("odd")]
        assert twice[0].content == twice[1].content
