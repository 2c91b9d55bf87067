"""The witness itself: the scripted server as a process of its own."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.sender.smtp.transport import Relay, connect
from tests.faults.sending import SHORT, Notes, free, mail, mails, said
from tests.harness.smtp import read_log

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """Yield port and log of a server that closes after three messages."""
    log = tmp_path / "log"
    command = [sys.executable, "-m", "tests.harness.smtp", "--log", str(log), "--per-connection", "3"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline()), log
        process.kill()


async def test_every_accepted_message_is_in_the_log_before_its_reply(sink: tuple[int, Path]) -> None:
    """The log has recipient, Message-ID and digest of what was taken, and every MAIL, as soon as a client can know."""
    port, log = sink
    connection = await connect(Relay("127.0.0.1", port, "none"), timeout=5, timeouts=SHORT)
    assert said(await connection.send(mails("ok", "reject", "greylist"), free, Notes())) == [
        (4, 250),
        (2, 550),
        (2, 451),
    ]
    assert said(await connection.send([mail(2, "greylist")], free, Notes())) == [(4, 250)]
    lines = read_log(log)
    assert [line["accepted"] for line in lines if "accepted" in line] == ["ok-0@example.com", "greylist-2@example.com"]
    assert [line["message_id"] for line in lines if "accepted" in line] == ["<m0@example.com>", "<m2@example.com>"]
    assert sum("mail" in line for line in lines) == 4
    results = await connection.send([mail(5), mail(6)], free, Notes())
    assert said(results) == [(4, 250), (0, 421)]
    await connection.quit()
