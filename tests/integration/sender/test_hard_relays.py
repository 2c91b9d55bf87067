"""Relays that are slow to answer or close all the time: paced mails still go out, and nobody is stormed."""

from shared.contracts.account import Limits
from tests.harness.sending import Sending
from tests.harness.smtp import Act, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until


def _slow_to_rcpt(_session: Session, phase: Phase) -> Act | None:
    return Act(b"250 2.1.5 Ok\r\n", delay=0.12) if phase == "rcpt" else None


async def test_a_paced_mail_goes_out_though_the_relay_is_slower_than_its_slot(
    sending: Sending, relay: ScriptedSmtp
) -> None:
    """A slot is kept by when the envelope goes out; that the relay takes its time over RCPT does not void it."""
    relay.script = _slow_to_rcpt
    await sending.start_mailing("m1", limits=Limits(seconds_between=0.3))
    ref = await sending.plan("m1", 0, [f"a{i}@example.com" for i in range(5)])
    sending.start_sender()
    assert await sending.finished(ref, timeout=45) == {"accepted": 5}
    assert relay.connections == 1


async def test_a_relay_that_closes_with_421_is_not_stormed(sending: Sending, relay: ScriptedSmtp) -> None:
    """After three connections without another word than 421 the lane rests; nobody is charged, all goes out later."""
    closing = True

    def script(_session: Session, phase: Phase) -> Act | None:
        return Act(b"421 4.7.0 Try again later\r\n", then="close") if closing and phase == "rcpt" else None

    relay.script = script
    sending.connections = 1
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, [f"a{i}@example.com" for i in range(20)])
    sender = sending.start_sender()
    await until(lambda: b"lane rests" in sender.log.read_bytes(), 45)
    assert relay.connections <= 4
    closing = False
    assert await sending.finished(ref, timeout=30) == {"accepted": 20}
