"""Every lane the planner uses is worked, also those nobody knew of when the sender started."""

from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp


async def test_the_lane_of_a_large_provider_is_worked(sending: Sending, relay: ScriptedSmtp) -> None:
    """A lane that a mailing's audience brought about is opened when its first chunk is planned, before and after."""
    await sending.start_mailing("m1")
    before = await sending.plan("m1", 0, ["ann@gmail.example"], lane="gmail")
    sending.start_sender()
    assert await sending.finished(before, timeout=45) == {"accepted": 1}
    after = await sending.plan("m1", 1, ["bob@seznam.example"], lane="seznam")
    assert await sending.finished(after, timeout=45) == {"accepted": 1}
    assert len(relay.accepted) == 2
