"""The mail catcher: keeps what it answered 250 for, whatever it is sent, and shows it without trusting it."""

import asyncio
import json
import os
import signal
import sys
import urllib.error
import urllib.request
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiosmtplib
import pytest

from deploy.catcher.store import PER_FOLDER, MailStore
from tests.harness.nats import free_port
from tests.harness.waiting import until


class Catcher:
    """A catcher process."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.smtp_port = free_port()
        self.http_port = free_port()
        self._arguments = arguments
        self._process: Process | None = None

    async def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.catcher", "--folder", str(self.folder)),
            *("--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)),
            *self._arguments,
            env=dict(os.environ),
        )

        async def healthy() -> bool:
            return (await self.get("healthz"))[0] == 200

        await until(healthy, 15)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """End it; return its exit code."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.send_signal(number)
        return await self._process.wait()

    async def get(self, page: str) -> tuple[int, str, dict[str, str]]:
        """Return status, text and headers of a page."""
        return await asyncio.to_thread(self._get, page)

    def _get(self, page: str) -> tuple[int, str, dict[str, str]]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/{page}", timeout=5) as reply:
                return reply.status, reply.read().decode("utf-8", "replace"), dict(reply.headers)
        except urllib.error.HTTPError as error:
            return error.code, "", {}
        except OSError:
            return 0, "", {}

    async def mails(self, query: str = "") -> list[dict[str, Any]]:
        """Return what /mails.json lists."""
        return list(json.loads((await self.get(f"mails.json?{query}"))[1])["mails"])

    async def talk(self, sent: bytes) -> bytes:
        """Send raw bytes in one write and return all replies until it closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.smtp_port)
        writer.write(sent)
        writer.write_eof()
        replies = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return replies

    async def send(self, message: EmailMessage, *, to: str) -> None:
        """Send a mail as a client library does."""
        await aiosmtplib.send(
            message, hostname="127.0.0.1", port=self.smtp_port, sender="from@example.com", recipients=[to]
        )


@pytest.fixture
async def catcher(tmp_path: Path) -> AsyncIterator[Catcher]:
    """Yield a running catcher."""
    running = Catcher(tmp_path / "mails", "--outcomes")
    await running.start()
    yield running
    await running.end(signal.SIGKILL)


def mail(subject: str = "Hello") -> EmailMessage:
    """Return a mail with a text and an HTML part."""
    message = EmailMessage()
    message["From"] = "Shop <shop@example.com>"
    message["To"] = "anna@example.com"
    message["Subject"] = subject
    message.set_content("Plain <b>text</b>\n.starts with a dot\n")
    message.add_alternative("<h1>Hi</h1><script>alert(1)</script>", subtype="html")
    return message


PIPELINED = (
    b"EHLO x\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
    b"Subject: one\r\n\r\n..dot\r\n.\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<c@example.com>\r\nDATA\r\n.\r\nQUIT\r\n"
)


async def test_a_mail_is_kept_byte_for_byte(catcher: Catcher) -> None:
    """What a client sent is in the file, undotted, and the list names envelope and subject."""
    await catcher.send(mail("Grüße"), to="anna@example.com")
    (entry,) = await catcher.mails()
    assert (entry["to"], entry["from"], entry["subject"]) == (["anna@example.com"], "from@example.com", "Grüße")
    (file,) = catcher.folder.rglob("*.eml")
    assert b"\r\n.starts with a dot\r\n" in file.read_bytes()


async def test_pipelined_mails_are_answered_in_order(catcher: Catcher) -> None:
    """Two transactions in one write, the second with an empty body, get all their replies."""
    codes = [line[:3] for line in (await catcher.talk(PIPELINED)).splitlines() if line[3:4] != b"-"]
    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert [entry["to"] for entry in await catcher.mails()] == [["b@example.com"], ["c@example.com"]]


@pytest.mark.parametrize(
    ("sent", "last"),
    [
        (b"NONSENSE\r\n", b"500"),
        (b"MAIL FROM:nobody\r\n", b"501"),
        (b"RCPT TO:<a@example.com>\r\n", b"503"),
        (b"DATA\r\n", b"503"),
        (b"MAIL FROM:<a@example.com> SIZE=99999999999\r\n", b"552"),
        (b"MAIL FROM:<>\r\nRCPT TO:<reject1@example.com>\r\n", b"550"),
        (b"MAIL FROM:<>\r\nRCPT TO:<defer1@example.com>\r\n", b"451"),
        (b"MAIL FROM:<>\r\nRCPT TO:<reject1@example.com>\r\nDATA\r\n", b"554"),
        (b"x" * 5_000, b"500"),
        (b"\xff\xfe\x00\r\n" * 60, b"421"),
        (b"MAIL FROM:<a@b>\r\nRCPT TO:<\xff\xfe@b>\r\nDATA\r\n\x00\xff\r\n.\r\n", b"250"),
        (b"MAIL FROM:<a@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n" + b"y" * 32_000_000 + b"\r\n.\r\n", b"552"),
    ],
)
async def test_malformed_input_is_answered_and_survived(catcher: Catcher, sent: bytes, last: bytes) -> None:
    """Each misuse has its reply, and the next client is served as if nothing was."""
    assert (await catcher.talk(sent)).splitlines()[-1][:3] == last
    assert b"250 2.0.0 kept" in await catcher.talk(PIPELINED)


async def test_pages_show_mail_without_trusting_it(catcher: Catcher) -> None:
    """The list escapes; text is escaped; HTML comes sandboxed and without scripts."""
    await catcher.send(mail("<script>x</script>"), to="anna@example.com")
    _, listing, headers = await catcher.get("?to=ANNA")
    assert "&lt;script&gt;x" in listing
    assert "<script" not in listing
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    _, page, _ = await catcher.get("mail/1")
    assert "Plain &lt;b&gt;text" in page
    assert 'src="/mail/1/html"' in page
    _, html, headers = await catcher.get("mail/1/html")
    assert "<h1>Hi</h1>" in html
    assert "sandbox allow-popups" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]


@pytest.mark.parametrize("page", ["mail/99", "mail/1/part/7", "nothing", "mail/99/html", "mail/99/raw"])
async def test_what_is_not_there_is_a_404(catcher: Catcher, page: str) -> None:
    """A page that does not exist says so."""
    assert (await catcher.get(page))[0] == 404


@pytest.mark.parametrize("page", ["mail/x", "?before=x", "mails.json?after=x", "mail/-"])
async def test_a_wrong_parameter_is_a_400(catcher: Catcher, page: str) -> None:
    """What is no number is refused, not failed at."""
    assert (await catcher.get(page))[0] == 400


async def test_a_broken_mail_is_shown_as_far_as_it_goes(catcher: Catcher) -> None:
    """Unknown charsets, broken headers and bad encodings still give pages."""
    body = (
        b"Subject: =?nonsense?Q?=FF?=\r\nFrom: <<>>,,\r\nTo: \xff\r\nDate: never\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: text/html; charset=klingon\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n"
    )
    await catcher.talk(b"MAIL FROM:<a@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n" + body + b".\r\n")
    for page in ("", "mail/1", "mail/1/html", "mail/1/raw"):
        assert (await catcher.get(page))[0] == 200


async def test_the_list_survives_a_kill(tmp_path: Path) -> None:
    """Every mail that was answered is listed after a SIGKILL, and ids go on."""
    catcher = Catcher(tmp_path / "mails")
    await catcher.start()
    for _ in range(5):
        await catcher.talk(PIPELINED)
    await catcher.end(signal.SIGKILL)
    await catcher.start()
    try:
        assert [entry["id"] for entry in await catcher.mails()] == list(range(1, 11))
        await catcher.talk(PIPELINED)
        assert [entry["id"] for entry in await catcher.mails("after=10")] == [11, 12]
    finally:
        assert await catcher.end() == 0


def test_the_oldest_are_dropped(tmp_path: Path) -> None:
    """The number of mails is bounded, files included; the newest stay and are found by recipient and id."""
    store = MailStore(tmp_path, keep=PER_FOLDER)
    store.open()
    for n in range(3 * PER_FOLDER):
        store.take("a@b", [f"r{n}@b"], b"Subject: s\r\n\r\n")
    store.flush()
    assert PER_FOLDER <= len(store.entries) <= 2 * PER_FOLDER
    assert len(list(tmp_path.rglob("*.eml"))) == len(store.entries)
    assert [entry.id for entry in store.newest(f"r{3 * PER_FOLDER - 1}@", 0, 10)] == [3 * PER_FOLDER]
    again = MailStore(tmp_path, keep=PER_FOLDER)
    again.open()
    assert [entry.id for entry in again.entries] == [entry.id for entry in store.entries]
    assert store.find(1) is None
