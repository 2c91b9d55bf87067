"""The webhooks over real HTTP in this process, before a desk that remembers what it was told; and Amazon's own side."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Self

from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from services.tracker.edge import Edge
from services.tracker.feedback.report import Report
from services.tracker.recorder import NotKeptError
from services.tracker.webhooks.hooks import HOOKS_KIND, MAX_READING, Hooks
from services.tracker.webhooks.providers import Provider
from shared.webserver import Reply as Page
from shared.webserver import WebServer
from tests.harness.nats import free_port
from tests.harness.waiting import until
from tests.harness.web import Reply, Web
from tests.harness.webhooks import CERTIFICATE_PATH, Posted


@dataclass
class Desk:
    """Remembers reports by their digest, or fails as when neither log nor spool takes anything."""

    told: list[tuple[str, Report]] = field(default_factory=list)
    broken: bool = False
    calls: int = 0

    async def tell(self, reports: Sequence[Report], source: str) -> None:
        """Take reports."""
        self.calls += 1
        if self.broken:
            raise NotKeptError("the spool is full")
        self.told += [(source, report) for report in reports]

    @property
    def facts(self) -> set[str]:
        """What is known, each once."""
        return {report.clues.digest for _, report in self.told}


@dataclass
class Site:
    """A server with webhooks."""

    desk: Desk
    web: Web
    hooks: Hooks

    async def post(self, name: str, posted: Posted) -> Reply:
        """Send a webhook."""
        return await self.web.ask("POST", f"/hooks/{name}", posted.body, posted.headers)


@contextlib.asynccontextmanager
async def site(providers: dict[str, Provider], most: int = MAX_READING) -> AsyncIterator[Site]:
    """Serve the webhooks of `providers`."""
    desk = Desk()
    hooks = Hooks(providers, desk, most=most)
    port = free_port()
    server = Server(
        Edge({HOOKS_KIND: hooks}, []),
        port=port,
        interface=Interfaces.ASGINL,
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
    )
    serving = asyncio.create_task(server.serve())
    found = Site(desk, Web("127.0.0.1", port), hooks)

    async def listens() -> bool:
        try:
            return (await found.web.get("/")).status == 404
        except OSError:  # not yet
            return False

    await until(listens, 10)
    try:
        yield found
    finally:
        server.stop()  # type: ignore[no-untyped-call]  # granian is typed in part
        await serving


class AmazonSite:
    """What stands at `sns.<region>.amazonaws.com`: a certificate, and confirmations that are counted."""

    def __init__(self, pem: bytes) -> None:
        self.pem = pem
        self.status = HTTPStatus.OK
        self.fetched: list[str] = []
        self.confirmed: list[dict[str, str]] = []
        self.port = free_port()
        self._server = WebServer("127.0.0.1", self.port, self._respond)

    @property
    def endpoint(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    async def _respond(self, path: str, query: dict[str, str]) -> Page:
        if query.get("Action") == "ConfirmSubscription":
            self.confirmed.append(query)
            return Page(b"<ConfirmSubscriptionResponse/>", status=self.status)
        self.fetched.append(path)
        return Page(self.pem, status=self.status if path == CERTIFICATE_PATH else HTTPStatus.NOT_FOUND)

    async def __aenter__(self) -> Self:
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()
