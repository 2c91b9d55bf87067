"""Serving an application in the loop of its service, from its start to a stop in good order.

A stop closes the listener, waits for the requests under way, and ends; live streams end by themselves when the service
is told to stop. A port that is taken ends the service, as whatever else keeps it from working.
"""

import asyncio
import logging

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.messaging.http.settings import HttpSettings
from shared.messaging.service import Service

logger = logging.getLogger(__name__)

DRAIN_SECONDS = 15.0

_GRACE = 5.0
_BACKLOG = 1024
_HEADER_MS = 10_000
_LARGEST_HEAD = 64 * 1024


def serve(service: Service, app: ASGIApp, settings: HttpSettings) -> None:
    """Serve `app` as long as `service` lives; does nothing where the port is 0."""
    if settings.http_port:
        server = HttpServer(app, settings)
        service.spawn("http", server.serve(service.stopping), grace=DRAIN_SECONDS + _GRACE)


class HttpServer:
    """One listener; `serve` runs it."""

    def __init__(self, app: ASGIApp, settings: HttpSettings) -> None:
        self._app = app
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._server = Server(
            self._counted,
            address=settings.http_host,
            port=settings.http_port,
            interface=Interfaces.ASGI,
            http=HTTPModes.http1,
            http1_settings=HTTP1Settings(header_read_timeout=_HEADER_MS, max_buffer_size=_LARGEST_HEAD),
            websockets=True,
            backlog=_BACKLOG,
            backpressure=_BACKLOG,
            log_enabled=False,
        )

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # a socket of a page stays open as long as the page does: it is cut
            await self._app(scope, receive, send)
            return
        self._under_way += 1
        self._idle.clear()
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()

    async def serve(self, stopping: asyncio.Event) -> None:
        """Serve until `stopping` is set, then drain and return."""
        serving = asyncio.create_task(self._server.serve())
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait({serving, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if not stopping.is_set():
            await serving  # raises what ended it
            raise RuntimeError("the HTTP server ended by itself")
        self._server.stop()  # type: ignore[no-untyped-call]  # granian is typed in part
        await serving
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._idle.wait()
        except TimeoutError:  # their connections are cut; whoever asked asks again
            logger.warning("stop: %d requests were still under way", self._under_way)
