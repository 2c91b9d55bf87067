"""A worker fails by a fault of its own while mails are on the wire: the process lives on, its evidence counts."""

import orjson

from shared.contracts import subjects
from shared.contracts.account import Limits
from shared.eventlog.keys import Bucket
from shared.eventlog.server_clock import ServerClock
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until


async def test_a_worker_that_fails_leaves_nobody_in_doubt(sending: Sending, relay: ScriptedSmtp) -> None:
    """The claim ahead fails while mails are on the wire: what was answered is settled so, the rest goes out."""
    await sending.start_mailing("m1", limits=Limits(per_hour=72_000))
    ref = await sending.plan("m1", 0, [f"a{i}@example.com" for i in range(80)])
    sender = sending.start_sender()
    await until(lambda: len(relay.accepted) >= 25, 20)
    pacing, clock = Bucket(sending.nc, subjects.PACING), ServerClock(sending.nc)
    await pacing.put("mailing.m1", b"no slot")
    await until(lambda: b"job goes back" in sender.log.read_bytes(), 20)
    await clock.sync()
    await pacing.put("mailing.m1", orjson.dumps({"last": clock.now()}))
    assert await sending.finished(ref, timeout=40) == {"accepted": 80}
    assert len(relay.accepted) == 80
