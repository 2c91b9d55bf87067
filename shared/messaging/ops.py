"""The ops port of a service: `/healthz` (it lives), `/readyz` (it can work), `/metrics`, `/asyncapi.json`.

Small on purpose: GET only, bounded in size and time, one request a connection; it is for probes, not for the public.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

import orjson

from shared import metrics

logger = logging.getLogger(__name__)

_LARGEST_HEAD = 16_384
_SECONDS = 5.0
_PHRASES = {200: "OK", 404: "Not Found", 405: "Method Not Allowed", 503: "Service Unavailable"}

Check = Callable[[], str | Awaitable[str]]
Reply = tuple[int, str, bytes]


class OpsServer:
    """Answers probes. A check returns "" when all is well, else what is wrong."""

    def __init__(self, host: str, port: int, document: Callable[[], str]) -> None:
        self.checks: dict[str, Check] = {}
        self.ready = False
        self._host = host
        self._port = port
        self._document = document
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; does nothing where the port is 0."""
        if self._port:
            self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_LARGEST_HEAD)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                status, kind, body = await self._reply(head)
                writer.write(
                    f"HTTP/1.1 {status} {_PHRASES[status]}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.debug("a probe went away: %r", error)  # nobody is left to be told
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # it is closed either way
                await writer.wait_closed()

    async def _reply(self, head: bytes) -> Reply:
        method, _, rest = head.partition(b" ")
        if method not in (b"GET", b"HEAD"):
            return 405, "text/plain", b"GET only\n"
        path = rest.split(b" ", 1)[0].split(b"?", 1)[0]
        if path == b"/healthz":
            return 200, "text/plain", b"ok\n"
        if path == b"/readyz":
            return await self._readiness()
        if path == b"/metrics":
            return 200, metrics.CONTENT_TYPE, metrics.exposition()
        if path == b"/asyncapi.json":
            return 200, "application/json", self._document().encode()
        return 404, "text/plain", b"/healthz /readyz /metrics /asyncapi.json\n"

    async def _readiness(self) -> Reply:
        wrong = {} if self.ready else {"start": "not ready yet"}
        for name, check in self.checks.items():
            result = check()
            if not isinstance(result, str):
                result = await result
            if result:
                wrong[name] = result
        return (503 if wrong else 200), "application/json", orjson.dumps({"ready": not wrong, "wrong": wrong})
