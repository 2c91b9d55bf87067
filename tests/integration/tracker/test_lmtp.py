"""A mail server hands mail in over LMTP: a reply for each recipient once it is safe, and everything is bounded."""

import asyncio
import smtplib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from services.tracker.desk import Desk
from services.tracker.lmtp import Limits, LmtpServer
from services.tracker.recorder import Recorder
from services.tracker.spool import Spool
from shared.contracts import subjects
from shared.contracts.consent import OptedOut
from shared.contracts.feedback import BounceReceived
from shared.eventlog.store import EventLog
from shared.tokens import BOUNCE_PREFIX, LEAVE_PREFIX
from tests.harness.mailbag import bounce
from tests.harness.nats import NatsServer, free_port
from tests.harness.tracker import RING, SIGNER, TrackerProcess
from tests.harness.waiting import until

WHO = "m1.0.7"
PATH = f"{BOUNCE_PREFIX}{SIGNER.kid}.{WHO}.{SIGNER.bounce_mac(WHO.encode()).decode()}@bounces.shop.example"
POSTMASTER = "postmaster@bounces.shop.example"
TIGHT = Limits(mail_bytes=20_000, largest=60_000, seconds=1.0, connections=3, recipients=2, commands=40)


class Line:
    """A client that says what it is told, byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def to(cls, port: int) -> "Line":
        """Connect, and hear the greeting."""
        line = cls(*await asyncio.open_connection("127.0.0.1", port))
        await line.heard()
        return line

    async def heard(self) -> str:
        """Return the last line of the next reply, "" where the line is closed."""
        while True:
            async with asyncio.timeout(20):
                said = (await self.reader.readline()).decode().rstrip("\r\n")
            if said[3:4] != "-":
                return said

    async def say(self, *lines: str | bytes) -> list[str]:
        """Say lines at once; return the reply to each."""
        self.writer.write(b"".join((each if isinstance(each, bytes) else each.encode()) + b"\r\n" for each in lines))
        return [await self.heard() for _ in lines]


class Listener:
    """An LMTP server in this process, with a real desk and spool and no broker."""

    def __init__(self, folder: Path, limits: Limits, spool_bytes: int = 2**20) -> None:
        self.spool = Spool(folder, spool_bytes)
        self.server = LmtpServer(Desk(RING, Recorder(self.spool)), [POSTMASTER], limits)
        self.port = 0

    async def start(self) -> "Listener":
        """Listen."""
        self.spool.open()
        self.port = await self.server.start("127.0.0.1", 0)
        return self

    async def stop(self) -> None:
        """End it."""
        await self.server.stop(0.1)
        await self.spool.close()


@pytest.fixture
async def listener(tmp_path: Path) -> AsyncIterator[Listener]:
    """Yield a listener with tight limits."""
    found = await Listener(tmp_path / "spool", TIGHT).start()
    yield found
    await found.stop()


async def test_each_recipient_has_a_reply_after_the_dot(listener: Listener) -> None:
    """In LMTP one for each that was accepted, in SMTP one for all; nobody else is accepted."""
    line = await Line.to(listener.port)
    replies = await line.say(
        "LHLO mx",
        "MAIL FROM:<>",
        f"RCPT TO:<{PATH}>",
        "RCPT TO:<someone@else.example>",
        f"RCPT TO:<{POSTMASTER}>",
        "DATA",
    )
    assert [reply[:3] for reply in replies] == ["250", "250", "250", "550", "250", "354"]
    assert replies[3].startswith("550 5.1.1")
    line.writer.write(bounce(7) + b"\r\n.\r\n")
    assert [await line.heard(), await line.heard()] == ["250 2.0.0 taken"] * 2
    assert listener.spool.bytes > 0
    replies = await line.say("EHLO mx", "MAIL FROM:<>", f"RCPT TO:<{PATH}>", f"RCPT TO:<{POSTMASTER}>", "DATA")
    assert replies[-1].startswith("354")
    line.writer.write(bounce(8) + b"\r\n.\r\n")
    assert await line.heard() == "250 2.0.0 taken"
    assert await line.say("QUIT") == ["221 2.0.0 bye"]


async def test_a_mail_that_unsubscribes_is_taken(listener: Listener) -> None:
    """`List-Unsubscribe` names its mailbox: whoever runs the mail server hands it in like what comes back."""
    line = await Line.to(listener.port)
    leave = LEAVE_PREFIX + PATH.removeprefix(BOUNCE_PREFIX)
    await line.say("LHLO mx", "MAIL FROM:<ann@example.com>", f"RCPT TO:<{leave}>", "DATA")
    token = SIGNER.unsubscribe("m1", 0, 7, "0" * 16, ["l1"])
    line.writer.write(f"From: ann@example.com\r\nSubject: {token}\r\n\r\n\r\n.\r\n".encode())
    assert await line.heard() == "250 2.0.0 taken"
    assert [type(event) async for entry in listener.spool.drain() for event in entry.events] == [OptedOut]


async def test_what_neither_log_nor_spool_takes_stays_with_the_mail_server(tmp_path: Path) -> None:
    """The reply is 451, so it comes again."""
    full = await Listener(tmp_path / "spool", TIGHT, spool_bytes=10).start()
    line = await Line.to(full.port)
    await line.say("LHLO mx", "MAIL FROM:<>", f"RCPT TO:<{PATH}>", "DATA")
    assert (await line.say(bounce(1) + b"\r\n."))[0].startswith("451 4.3.0")
    await full.stop()


async def test_large_mails_are_cut_and_far_too_large_ones_refused(listener: Listener) -> None:
    """Of a mail the first bytes are kept: the report stands before what it returns."""
    line = await Line.to(listener.port)
    assert (await line.say("LHLO mx", "MAIL FROM:<> SIZE=999999"))[1].startswith("552 5.3.4")
    await line.say("MAIL FROM:<> SIZE=50000", f"RCPT TO:<{PATH}>", "DATA")
    assert await line.say(bounce(1, size=50_000) + b"\r\n.") == ["250 2.0.0 taken"]
    await line.say("MAIL FROM:<>", f"RCPT TO:<{PATH}>", "DATA")
    assert (await line.say(bounce(2, size=70_000) + b"\r\n."))[0].startswith("552 5.3.4")
    await line.say("MAIL FROM:<>", f"RCPT TO:<{PATH}>", "DATA")
    assert (await line.say(b"x" * 200_000))[0].startswith("552 5.3.4")


async def test_a_dot_ends_a_mail_on_a_line_of_its_own_alone(listener: Listener) -> None:
    """Bare line feeds around a dot end nothing, so no second mail can be smuggled in."""
    line = await Line.to(listener.port)
    await line.say("LHLO mx", "MAIL FROM:<>", f"RCPT TO:<{PATH}>", "DATA")
    smuggled = b"Subject: one\n.\nMAIL FROM:<x@evil.example>\r\n.\nRCPT TO:<y@evil.example>\n.\r\nend\r\n."
    assert await line.say(smuggled) == ["250 2.0.0 taken"]
    assert await line.say("NOOP") == ["250 2.0.0 ok"]


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (["MAIL FROM:<>"], "503 5.5.1"),
        (["LHLO mx", "DATA"], "503 5.5.1"),
        (["LHLO mx", f"RCPT TO:<{PATH}>"], "503 5.5.1"),
        (["LHLO mx", "MAIL FROM:nobody"], "501 5.5.4"),
        (["LHLO mx", "MAIL FROM:<>", f"RCPT TO:<{PATH}>", f"RCPT TO:<{POSTMASTER}>", f"RCPT TO:<{PATH}>"], "452 4.5.3"),
        (["LHLO mx", "MAIL FROM:<>", "RCPT TO:<a@b.example>", "DATA"], "503 5.5.1"),
        (["LHLO mx", "NOOP " + "x" * 5000], "500 5.5.2"),
        (["LHLO mx", "NOOP " + "x" * 200_000], "500 5.5.2"),
        (["BREW tea"], "500 5.5.2"),
        (["LHLO mx", *["BREW tea"] * 3], "421 4.7.0"),
        (["LHLO mx", *["NOOP"] * 40], "421 4.7.0"),
    ],
)
async def test_what_is_out_of_bounds_is_told_so(listener: Listener, said: list[str], reply: str) -> None:
    """Wrong order, wrong words, too many, too long."""
    line = await Line.to(listener.port)
    replies = await line.say(*said)
    if reply.startswith("421") and not replies[-1].startswith("421"):
        replies.append(await line.heard())
    assert replies[-1].startswith(reply)


async def test_who_is_silent_or_one_too_many_is_sent_away(listener: Listener) -> None:
    """Connections are few and none is held for nothing."""
    lines = [await Line.to(listener.port) for _ in range(TIGHT.connections)]
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    assert (await reader.readline()).startswith(b"421 4.3.2")
    writer.close()
    assert [(await line.heard())[:9] for line in lines] == ["421 4.4.2"] * TIGHT.connections


async def test_while_the_broker_is_away_it_goes_to_the_spool_and_later_to_the_log(
    log_streams: NatsServer, nc: Client, tmp_path: Path
) -> None:
    """The mail server hears 250 all the same; Python's own LMTP client hands it in."""
    port = free_port()
    tracker = TrackerProcess(log_streams.url, tmp_path / "tracker", {"POSTHASTE_LMTP_PORT": str(port)})
    await tracker.start()
    log_streams.stop()
    await until(lambda: tracker.broker_is("away"), 20)

    def hand_in() -> dict[str, tuple[int, bytes]]:
        with smtplib.LMTP("127.0.0.1", port) as client:
            return client.sendmail("", [PATH], bounce(7))

    assert await asyncio.to_thread(hand_in) == {}
    log_streams.start()
    log = EventLog(nc)

    async def events() -> list[BounceReceived]:
        return [
            record.event
            async for commits in log.scan([subjects.ALL_FEEDBACK])
            for commit in commits
            for record in commit.events
            if isinstance(record.event, BounceReceived)
        ]

    async def arrived() -> bool:
        return bool(await events())

    await until(arrived, 30)
    (event,) = await events()
    assert (event.source, event.proven, event.mailing, event.index) == ("lmtp", "return-path", "m1", 7)
    tracker.kill()
