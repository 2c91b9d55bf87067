"""A small HTTP server for probes and local pages: GET and HEAD, one request a connection, bounded in size and time.

It is not for the public: the tracker's edge has a server of its own.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

logger = logging.getLogger(__name__)

_LARGEST_HEAD = 16_384
_SECONDS = 10.0


@dataclass(frozen=True)
class Reply:
    """What goes back."""

    body: bytes
    kind: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK
    headers: dict[str, str] = field(default_factory=dict)


NOT_FOUND = Reply(b"not found\n", status=HTTPStatus.NOT_FOUND)

Respond = Callable[[str, dict[str, str]], Awaitable[Reply]]


class WebServer:
    """Calls `respond(path, query)` for each request; an error in it is logged and answered 500."""

    def __init__(self, host: str, port: int, respond: Respond) -> None:
        self._host = host
        self._port = port
        self._respond = respond
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen."""
        self._server = await asyncio.start_server(self._serve, self._host, self._port, limit=_LARGEST_HEAD)

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, reply = await self._reply(head)
                lines = {
                    "Content-Type": reply.kind,
                    "Content-Length": str(len(reply.body)),
                    "Connection": "close",
                    "X-Content-Type-Options": "nosniff",
                } | reply.headers
                top = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
                writer.write(f"HTTP/1.1 {reply.status.value} {reply.status.phrase}\r\n{top}\r\n".encode())
                if method != "HEAD":
                    writer.write(reply.body)
                await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            logger.debug("a reader went away: %r", error)  # nobody is left to be told
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):  # it is closed either way
                await writer.wait_closed()

    async def _reply(self, head: bytes) -> tuple[str, Reply]:
        line = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ")
        if len(line) != 3:
            return "GET", Reply(b"not HTTP\n", status=HTTPStatus.BAD_REQUEST)
        method, target, _ = line
        if method not in {"GET", "HEAD"}:
            return method, Reply(b"GET only\n", status=HTTPStatus.METHOD_NOT_ALLOWED)
        try:
            parts = urlsplit(target)
            query = {name: values[-1] for name, values in parse_qs(parts.query, max_num_fields=20).items()}
            return method, await self._respond(parts.path, query)
        except ValueError:  # a target or parameter that cannot be read
            return method, Reply(b"bad request\n", status=HTTPStatus.BAD_REQUEST)
        except Exception:  # the others are still answered
            logger.exception("a page failed")
            return method, Reply(b"failed, see the log\n", status=HTTPStatus.INTERNAL_SERVER_ERROR)
