"""The ops port of a service: `/healthz` (it lives), `/readyz` (it can work), `/metrics`, `/asyncapi.json`."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import orjson

from shared import metrics
from shared.webserver import Reply, WebServer

Check = Callable[[], str | Awaitable[str]]


class OpsServer:
    """Answers probes. A check returns "" when all is well, else what is wrong."""

    def __init__(self, host: str, port: int, document: Callable[[], str]) -> None:
        self.checks: dict[str, Check] = {}
        self.ready = False
        self._document = document
        self._server = WebServer(host, port, self._respond) if port else None

    async def start(self) -> None:
        """Listen; does nothing where the port is 0."""
        if self._server is not None:
            await self._server.start()

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.stop()

    async def _respond(self, path: str, _query: dict[str, str]) -> Reply:
        if path == "/healthz":
            return Reply(b"ok\n")
        if path == "/readyz":
            return await self._readiness()
        if path == "/metrics":
            return Reply(metrics.exposition(), metrics.CONTENT_TYPE)
        if path == "/asyncapi.json":
            return Reply(self._document().encode(), "application/json")
        return Reply(b"/healthz /readyz /metrics /asyncapi.json\n", status=HTTPStatus.NOT_FOUND)

    async def _readiness(self) -> Reply:
        wrong = {} if self.ready else {"start": "not ready yet"}
        for name, check in self.checks.items():
            result = check()
            if not isinstance(result, str):
                result = await result
            if result:
                wrong[name] = result
        status = HTTPStatus.SERVICE_UNAVAILABLE if wrong else HTTPStatus.OK
        return Reply(orjson.dumps({"ready": not wrong, "wrong": wrong}), "application/json", status)
