"""From the command to the log: a mailbox is added, tried out, read by a tracker, shown and removed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.contracts import commands, subjects
from shared.eventlog.keys import Bucket
from tests.harness.imap import PASSWORD, USER, ImapServer
from tests.harness.mailbag import mixed
from tests.harness.tracker import TrackerProcess
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk


@pytest.fixture(scope="module")
def server() -> Iterator[ImapServer]:
    """Yield an IMAP server."""
    imap = ImapServer().start()
    yield imap
    imap.stop()


async def test_a_mailbox_from_the_command_to_the_log(desk: Desk, server: ImapServer, tmp_path: Path) -> None:
    """Its test says what is wrong, its row how reading stands; a removed one leaves no password."""
    wanted = {"name": "back", "host": "127.0.0.1", "port": server.port, "security": "none", "username": USER}
    added = commands.AddMailbox.model_validate(wanted | {"password": "wrong", "interval": 86_400})
    mailbox = (await desk.do(added, "once"))["mailbox"]
    assert (await desk.do(added, "once"))["mailbox"] == mailbox
    environment = {
        "POSTHASTE_SECRET_KEYS": desk.settings.secret_keys,
        "POSTHASTE_ADDRESS_PEPPER": desk.settings.address_pepper,
    }
    tracker = await TrackerProcess(desk.settings.nats_url, tmp_path / "tracker", environment).start()
    try:
        assert await desk.refused(commands.TestMailbox(mailbox=mailbox)) == "mailbox_not_working"

        async def row() -> dict[str, object]:
            (only,) = (await desk.ask(commands.Mailboxes()))["mailboxes"]
            return dict(only)

        async def paused() -> bool:
            return (await row())["state"] == "paused"

        await until(paused, 40)
        assert "refuses the login" in str((await row())["detail"])
        assert "wrong" not in str(await row())

        server.deliver(mixed(20))
        password = commands.EditMailbox.model_validate(
            wanted | {"mailbox": mailbox, "password": PASSWORD, "interval": 86_400}
        )
        await desk.do(password)
        assert (await desk.do(commands.TestMailbox(mailbox=mailbox)))["working"]

        async def taken() -> bool:
            return (await row())["taken"] == 20

        await until(taken, 40)
        assert (await row())["tested"]
        assert (await desk.do(commands.ResealSecrets()))["closed"] == []

        await desk.do(commands.RemoveMailbox(mailbox=mailbox))
        assert (await desk.ask(commands.Mailboxes()))["mailboxes"] == []
        assert await Bucket(desk.nc, subjects.SECRETS).get(subjects.mailbox_password(mailbox)) is None
        assert await desk.refused(commands.TestMailbox(mailbox=mailbox)) == "mailbox_unknown"
    finally:
        tracker.kill()
