"""The disk of the log is full in the middle of a mailing: nothing more goes out than can be recorded."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext
from nats.js.errors import APIError

from deploy.apply import apply
from shared.eventlog.connection import close, connect
from tests.chaos.test_log_hanging import LINES, WINDOW, still
from tests.harness.nats import NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.toll import strike
from tests.harness.waiting import until
from tests.harness.witness import account_for, reached

pytestmark = pytest.mark.one_server

SMALL, CHUNKS, PIECE = 100, 24, 256 * 1024
ROOM = 12
"""Pieces that fit again before the sender begins."""


@pytest.fixture
async def tight(tmp_path: Path, relay: ScriptedSmtp) -> AsyncIterator[Sending]:
    """Yield the sender's world on a server that has little room."""
    server = NatsServer(tmp_path / "nats")
    server.room = "64MB"
    server.start()
    nc = await connect(server.url, name="test")
    await apply(nc)
    rig = Sending(nc, server.url, relay.port, tmp_path / "data")
    rig.folder.mkdir()
    await rig.add_account()
    yield rig
    rig.stop()
    await close(nc)
    server.kill()


@pytest.mark.drawn("sender", 2)
async def test_a_full_log_stops_the_sending_and_room_lets_it_go_on(tight: Sending, relay: ScriptedSmtp) -> None:
    """At most what was claimed goes out; when there is room again everybody gets one mail, nobody two."""
    await tight.start_mailing("m1")
    chunks = {}
    for n in range(CHUNKS):
        addresses = [f"ann{n}x{i}@example.com" for i in range(SMALL)]
        chunks[await tight.plan("m1", n, addresses)] = addresses
    js = tight.nc.jetstream()
    await js.add_stream(name="JUNK", subjects=["junk"])
    pieces = await filled(js)
    await js.purge_stream("JUNK", keep=pieces - ROOM)
    sender = tight.start_sender()
    await reached(relay, 100)
    await filled(js)
    strike()
    before = len(relay.accepted)
    await until(lambda: still(relay), 30)
    assert len(relay.accepted) - before <= LINES * WINDOW
    assert len(relay.accepted) < CHUNKS * SMALL, "it was over before the log was full"
    assert sender.alive
    await js.delete_stream("JUNK")
    await tight.finished(*chunks, timeout=60)
    account = await account_for(tight, relay, chunks)
    assert account.totals == {"accepted": CHUNKS * SMALL}


async def filled(js: JetStreamContext) -> int:
    """Store pieces until there is no room for one; return how many fitted."""
    fitted = 0
    while True:
        try:
            await js.publish("junk", bytes(PIECE))
        except APIError as error:
            if "resource" not in str(error.description):
                raise
            return fitted
        fitted += 1
