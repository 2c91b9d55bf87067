"""A small HTTP/1.1 client on raw streams: byte for byte, follows nothing, waits no longer than told."""

import asyncio
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

_TIMEOUT = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. `seconds` runs from the first byte sent to the last received."""

    status: int
    headers: dict[str, str]
    body: bytes
    seconds: float


@dataclass
class Web:
    """Requests to one server; every request has a connection of its own."""

    host: str
    port: int
    headers: dict[str, str] = field(default_factory=dict)

    async def ask(
        self, method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None, *, raw: bytes = b""
    ) -> Reply:
        """Send one request (or the bytes of `raw`) and return the reply. `url` may be absolute; its host is ignored."""
        parts = urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.host}:{self.port}", "Connection: close"]
        if body or method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        lines += [f"{name}: {value}" for name, value in {**self.headers, **(headers or {})}.items()]
        async with asyncio.timeout(_TIMEOUT):
            reader, writer = await asyncio.open_connection(self.host, self.port)
            started = time.perf_counter()
            try:
                writer.write(raw or "\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
                answer = await reader.read()
            finally:
                writer.close()
        return _reply(answer, time.perf_counter() - started)

    async def get(self, url: str, **headers: str) -> Reply:
        """GET with headers given as `user_agent="..."`."""
        return await self.ask("GET", url, headers={name.replace("_", "-"): value for name, value in headers.items()})

    async def post(self, url: str, body: bytes, content_type: str = "application/x-www-form-urlencoded") -> Reply:
        """POST a form."""
        return await self.ask("POST", url, body, {"Content-Type": content_type} if content_type else {})


def _reply(answer: bytes, seconds: float) -> Reply:
    if not answer:
        raise ConnectionResetError("it hung up without an answer")
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    pairs = (line.partition(": ") for line in lines)
    headers = {name.lower(): value for name, _, value in pairs}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    return Reply(int(first.split(" ")[1]), headers, body, seconds)


def _unchunked(body: bytes) -> bytes:
    out = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            break
        out, body = out + body[:length], body[length + 2 :]
    return out
