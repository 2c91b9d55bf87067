"""A real IMAP server (pymap) as a process of its own, and a line to it that can be cut or speak TLS."""

import asyncio
import contextlib
import imaplib
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness.certificates import Certificate
from tests.harness.nats import free_port

USER = "demouser"
PASSWORD = "demopass"
_STARTED_S = 20.0


@dataclass
class ImapServer:
    """pymap with one user and an empty INBOX in memory; with a certificate it offers STARTTLS."""

    port: int = field(default_factory=free_port)
    certificate: Certificate | None = None
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> "ImapServer":
        """Start it; return when it listens."""
        command = [str(Path(sys.executable).parent / "pymap"), "--host", "127.0.0.1", "--port", str(self.port)]
        tls = ["--no-tls"]
        if self.certificate is not None:
            tls = ["--cert", self.certificate.ca_file, "--key", str(Path(self.certificate.ca_file).parent / "key.pem")]
        self._process = subprocess.Popen([*command, *tls, "dict", "--demo-user", USER, "--demo-password", PASSWORD])
        deadline = time.monotonic() + _STARTED_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
            except OSError:
                assert time.monotonic() < deadline, "pymap does not start"
                time.sleep(0.05)
            else:
                return self

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def deliver(self, mails: Iterable[bytes], folder: str = "INBOX") -> None:
        """Put mails into a folder, without waiting for each reply."""
        with socket.create_connection(("127.0.0.1", self.port)) as line, line.makefile("rb") as replies:
            line.sendall(f"a LOGIN {USER} {PASSWORD}\r\n".encode())
            count = 0
            for count, mail in enumerate(mails, 1):
                line.sendall(b'b%d APPEND "%b" {%d+}\r\n%b\r\n' % (count, folder.encode(), len(mail), mail))
                self._heard(replies, b"b%d " % count)

    @staticmethod
    def _heard(replies: Iterable[bytes], tag: bytes) -> None:
        for line in replies:
            if line.startswith(tag):
                assert line.startswith(tag + b"OK"), line
                return

    def client(self) -> imaplib.IMAP4:
        """Return a client that is logged in."""
        client = imaplib.IMAP4("127.0.0.1", self.port)
        client.login(USER, PASSWORD)
        return client

    def renew(self, folder: str) -> None:
        """Make a folder, anew if it is there: empty, with another UIDVALIDITY."""
        client = self.client()
        client.delete(folder)
        client.create(folder)
        client.logout()

    def count(self, folder: str) -> int:
        """Return how many mails are in a folder."""
        client = self.client()
        status, data = client.select(folder, readonly=True)
        client.logout()
        assert status == "OK", data
        return int(data[0] or 0)


class ImapLine:
    """A way to an IMAP server that can be cut: every connection ends after `cut_after` bytes of replies."""

    def __init__(self, port: int, tls: ssl.SSLContext | None = None) -> None:
        self.cut_after: int | None = None
        self.cuts = 0
        self.connections = 0
        self._to = port
        self._tls = tls
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Return the port that leads there."""
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, away = await asyncio.open_connection("127.0.0.1", self._to)
        with contextlib.suppress(OSError):
            await asyncio.gather(self._pipe(reader, away, None), self._pipe(there, writer, self.cut_after))
        writer.close()
        away.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, most: int | None) -> None:
        passed = 0
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                passed += len(data)
                if most is not None and passed > most:
                    self.cuts += 1
                    writer.transport.abort()
                    break
                writer.write(data)
                await writer.drain()
        writer.close()
