"""Whoever is told by webhook of the end of a mailing, and how a webhook is signed (Standard Webhooks)."""

import asyncio
import hashlib
import hmac
from base64 import b64decode, b64encode
from dataclasses import dataclass, field

SECRET = "whsec_" + b64encode(b"k" * 32).decode()


@dataclass
class Told:
    """A server that says 500 to the first requests and 204 to the others; headers and bodies of what came."""

    port: int = 0
    refuses: int = 1
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one request."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        fields = (line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in fields}
        body = await reader.readexactly(int(headers["content-length"]))
        self.came.append((headers, body))
        status = b"204 No Content" if len(self.came) > self.refuses else b"500 Oops"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


def signature(name: str, at: str, body: bytes) -> str:
    """Return the signature of a webhook: its id, its time, its body."""
    expected = hmac.digest(b64decode(SECRET[6:]), f"{name}.{at}.".encode() + body, hashlib.sha256)
    return "v1," + b64encode(expected).decode()
