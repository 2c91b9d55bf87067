"""A tracker process reads mailboxes of a real IMAP server: each answer is one fact, whatever happens in between."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from shared.contracts import subjects
from shared.contracts.commands import MailboxProbe, ProbeResult
from shared.contracts.mailbox import MailboxEdited, MailboxRemoved, MailboxTested
from shared.eventlog.keys import Bucket
from shared.ids import new_id
from tests.harness.imap import PASSWORD, ImapLine, ImapServer
from tests.harness.mailbag import KINDS, answer, bounce, letter, mixed
from tests.harness.nats import NatsServer
from tests.harness.office import Office
from tests.harness.tracker import RING, TrackerProcess
from tests.harness.waiting import until

QUICK = {"POSTHASTE_MAILBOX_SECONDS": "7", "POSTHASTE_MAILBOX_LEASE": "8"}


@pytest.fixture(scope="module")
def server() -> Iterator[ImapServer]:
    """Yield an IMAP server."""
    imap = ImapServer().start()
    yield imap
    imap.stop()


@pytest.fixture
async def office(log_streams: NatsServer, nc: Client) -> Office:
    """Return the mailboxes of an empty installation."""
    del log_streams
    return Office(nc)


@pytest.fixture
async def tracker(log_streams: NatsServer, tmp_path: Path) -> AsyncIterator[TrackerProcess]:
    """Yield a running tracker."""
    process = await TrackerProcess(log_streams.url, tmp_path / "tracker", QUICK).start()
    yield process
    process.kill()


@pytest.fixture
def folder(server: ImapServer) -> str:
    """Return an empty folder of its own."""
    name = f"Back-{new_id(6)}"
    server.renew(name)
    return name


@pytest.mark.feature("A1", "B8")
async def test_what_comes_back_is_taken_in_once(
    server: ImapServer, folder: str, office: Office, tracker: TrackerProcess
) -> None:
    """A second look, and the same mails under another UIDVALIDITY (row 75), make no fact twice."""
    mails = [bounce(index) for index in range(70)] + [answer(index) for index in range(5)] + [letter(0)]
    server.deliver(mails, folder)
    await office.add("m1", server.port, folders=[folder])
    await office.took("m1", 76)
    await office.has(75)
    first = (await office.reading("m1")).places[folder]

    await office.say("m1", MailboxTested(working=True, detail="again"))
    before = (await office.reading("m1")).read_at
    await until(lambda: _read_after(office, "m1", before), 40)
    await office.has(75)
    assert (await office.reading("m1")).taken == 76

    server.renew(folder)
    server.deliver([*mails, bounce(70)], folder)
    await office.took("m1", 76 + 77)
    second = (await office.reading("m1")).places[folder]
    assert first.validity != second.validity
    await office.has(76)
    assert tracker.pid


async def _read_after(office: Office, mailbox: str, moment: float) -> bool:
    return (await office.reading(mailbox)).read_at > moment


async def test_a_line_that_breaks_in_the_middle_loses_nothing(
    server: ImapServer, folder: str, office: Office, tracker: TrackerProcess
) -> None:
    """Where the connection breaks while a page is fetched, the next one goes on from the last page (row 75)."""
    server.deliver([bounce(index) for index in range(100)], folder)
    line = ImapLine(server.port)
    line.cut_after = 60_000
    await office.add("m2", await line.start(), folders=[folder])
    await until(lambda: line.cuts > 0, 40)
    line.cut_after = None
    assert (await office.reading("m2")).taken < 100
    await office.say("m2", MailboxTested(working=True, detail="go on"))
    await office.took("m2", 100)
    await office.has(100)
    assert tracker.pid
    await line.stop()


async def test_two_trackers_take_turns(
    server: ImapServer, folder: str, office: Office, tracker: TrackerProcess, tmp_path: Path
) -> None:
    """One reads a mailbox at a time; after a kill -9 in the middle the other goes on: none lost, none doubled.

    What the killed one had in its spool alone follows when it comes back.
    """
    server.deliver(mixed(400), folder)
    other = await TrackerProcess(tracker.nats_url, tmp_path / "other", QUICK).start()
    line = ImapLine(server.port)
    await office.add("m3", await line.start(), folders=[folder])

    async def under_way() -> bool:
        return (await office.reading("m3")).taken >= 32

    await until(under_way, 40)
    holder = (await office.reading("m3")).holder
    tracker.kill()
    await office.took("m3", 400)
    await tracker.start()
    await office.has(400 - 400 // KINDS)
    assert line.connections <= 4
    assert holder
    other.kill()
    await line.stop()


async def test_what_was_read_is_moved(server: ImapServer, folder: str, office: Office, tracker: TrackerProcess) -> None:
    """With a target folder the watched one is empty afterwards; a target that is not there stops no reading."""
    target = f"{folder}-read"
    server.renew(target)
    server.deliver([bounce(index) for index in range(40)], folder)
    added = await office.add("m4", server.port, folders=[folder], target=target)
    await office.took("m4", 40)
    assert (server.count(folder), server.count(target)) == (0, 40)

    server.deliver([bounce(index) for index in range(40, 45)], folder)
    edited = MailboxEdited.model_validate({**added.model_dump(), "target": "Nowhere"})
    await office.say("m4", edited)

    async def complains() -> bool:
        return "'Nowhere'" in (await office.reading("m4")).detail

    await until(complains, 40)
    assert (await office.reading("m4")).taken == 45
    assert server.count(folder) == 5
    assert tracker.pid


async def test_a_refused_login_pauses_a_mailbox(
    server: ImapServer, folder: str, office: Office, tracker: TrackerProcess
) -> None:
    """It is not tried again by itself, so no account is locked; a new password ends the pause at once."""
    server.deliver([bounce(0)], folder)
    line = ImapLine(server.port)
    added = await office.add("m5", await line.start(), "wrong", folders=[folder])

    async def state(wanted: str) -> bool:
        return (await office.reading("m5")).state == wanted

    await until(lambda: state("paused"), 40)
    reading = await office.reading("m5")
    assert "refuses the login" in reading.detail
    assert "wrong" not in reading.model_dump_json()
    tried = line.connections
    await asyncio.sleep(0)
    assert line.connections == tried == 1
    await Bucket(office.nc, subjects.SECRETS).put(subjects.mailbox_password("m5"), RING.seal(PASSWORD))
    await office.say("m5", MailboxEdited.model_validate({**added.model_dump(), "password_changed": True}))
    await office.took("m5", 1)
    assert tracker.pid
    await line.stop()


async def test_a_folder_that_is_missing_stops_no_other(
    server: ImapServer, folder: str, office: Office, tracker: TrackerProcess
) -> None:
    """The others are read, and the mailbox says which folders there are; a removed mailbox is read no more."""
    server.deliver([bounce(0), letter(1, size=600_000), bounce(1, size=600_000)], folder)
    await office.add("m6", server.port, folders=["Gone", folder])

    async def done() -> bool:
        reading = await office.reading("m6")
        return reading.state == "failing" and reading.taken == 3

    await until(done, 40)
    assert "'Gone'" in (await office.reading("m6")).detail
    assert folder in (await office.reading("m6")).detail
    await office.has(2)

    await office.say("m6", MailboxRemoved())
    server.deliver([bounce(2)], folder)
    await office.add("m7", server.port, folders=[folder])
    await office.took("m7", 4)
    assert (await office.reading("m6")).taken == 3
    assert tracker.pid


async def test_while_the_broker_is_away_nothing_is_read(
    server: ImapServer, folder: str, office: Office, tracker: TrackerProcess, log_streams: NatsServer
) -> None:
    """The spool is kept for hits; when the broker is back the mailbox is read to its end."""
    await office.add("m8", server.port, folders=[folder])
    await office.took("m8", 0)
    log_streams.stop()
    await until(lambda: tracker.broker_is("away"), 40)
    server.deliver([bounce(index) for index in range(20)], folder)
    assert await tracker.spool_is_empty()
    log_streams.start()
    await office.took("m8", 20)
    await office.has(20)


async def test_a_probe_says_what_is_wrong(server: ImapServer, office: Office, tracker: TrackerProcess) -> None:
    """A good mailbox is logged in to; a wrong port, password or folder is named, with what to do."""
    added = await office.add("m9", server.port, interval=86_400)

    async def probe(**changes: object) -> ProbeResult:
        body = MailboxProbe(mailbox="m9", settings=added.model_copy(update=changes)).model_dump_json().encode()
        said = await office.nc.request(subjects.probe_mailbox(), body, timeout=20)
        return ProbeResult.model_validate_json(said.data)

    assert (await probe()).detail.startswith("Logged in. INBOX: ")
    assert "check host and port" in (await probe(port=1)).detail
    assert "is it the port of STARTTLS" in (await probe(security="tls")).detail
    assert "'Lost'; there are" in (await probe(folders=["Lost"])).detail
    assert "'Lost'; there are" in (await probe(sent="Lost")).detail
    assert "to move to" in (await probe(target="Lost")).detail
    assert "refuses the login" in (await probe(username="nobody")).detail
    assert tracker.pid
