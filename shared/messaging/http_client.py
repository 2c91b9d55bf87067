"""Asking the services over HTTP: a command or query out, its `Answer` back; files in; live events.

The counterpart of `shared.messaging.client` on NATS. While nobody listens (a service is being restarted) or one is told
to come again later, the request is repeated until the time is up. One that reached somebody and was not answered raises
`UnansweredError`; ask again with the same key, which the error carries, and the same command is not done twice.
"""

import asyncio
import copy
import json
import math
import re
import time
from collections.abc import AsyncIterable, AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import httpx

from shared.contracts import api
from shared.contracts.api import ENDPOINTS, VERSION, Endpoint, Flow
from shared.contracts.commands import Answer, Command, Query, Refusal
from shared.ids import new_id
from shared.messaging.client import UnansweredError

_PAUSE = 0.1
_LONGEST_PAUSE = 5.0
_CONNECT_SECONDS = 5.0
_SILENCE = 60.0
_AS_MANY_AS_THERE_ARE_STREAMS = httpx.Limits(max_connections=None, max_keepalive_connections=20)
_ROWS = {endpoint.request: endpoint for endpoint in ENDPOINTS}


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """What a live stream brings: `kind` is `mailing` or `campaign`, `data` as of `mailing.status` or `campaign.list`.

    `position` is the place in the log from which to go on, 0 where the event is not the last of its instant.
    """

    kind: str
    position: int
    data: dict[str, Any]


class HttpClient:
    """Commands and queries with a token; the services are at `planner_url` and `reporting_url`.

    An answer may take `seconds`; a service that does not listen is tried for `patience` seconds, if that is less.
    """

    def __init__(
        self,
        planner_url: str,
        reporting_url: str,
        bearer: str,
        *,
        seconds: float = 30.0,
        patience: float = math.inf,
    ) -> None:
        self._urls = {"planner": planner_url.rstrip("/"), "reporting": reporting_url.rstrip("/")}
        self._seconds = seconds
        self._patience = min(patience, seconds)
        self._headers = _proving(bearer)
        timeout = httpx.Timeout(seconds, connect=_CONNECT_SECONDS)
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, limits=_AS_MANY_AS_THERE_ARE_STREAMS)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.close()

    def in_the_name_of(self, bearer: str, remote: str = "") -> Self:
        """Return a client of somebody else at the network address `remote`, on the same connections."""
        other = copy.copy(self)
        other._headers = _proving(bearer) | ({"X-Forwarded-For": remote} if remote else {})  # noqa: SLF001 - a copy
        return other

    async def close(self) -> None:
        """Let go of the connections."""
        await self._http.aclose()

    async def command(self, command: Command, key: str = "") -> Answer:
        """Ask for something to be done; without a `key` it is a new request each time."""
        key = key or new_id()
        return await self._ask(command, {"Idempotency-Key": key}, key)

    async def query(self, query: Query, at_least: int = 0) -> Answer:
        """Ask for what is known; `at_least` is the log position the answer must include."""
        return await self._ask(query, {"X-At-Least": str(at_least)} if at_least else {}, "")

    async def upload(self, file: bytes | AsyncIterable[bytes]) -> dict[str, Any] | Refusal:
        """Upload a file; return `upload` and `parts`, which an import needs. It is not repeated by itself."""
        try:
            reply = await self._http.post(
                self._url(api.UPLOAD, {}),
                content=file,
                headers=self._headers | {"Content-Type": "text/csv"},
                timeout=_SILENCE,
            )
        except httpx.TransportError as error:
            raise UnansweredError(api.UPLOAD.name, "", _SILENCE, reached=True) from error
        found: dict[str, Any] | Refusal = reply.json() if reply.is_success else _refusal(reply)
        return found

    async def live(self, mailing: str = "", last: int | None = None) -> AsyncIterator[LiveEvent]:
        """Yield what changes, of one mailing or of all, for ever; a stream that ends or breaks is resumed.

        `last` is the position of the last event that was seen; without it the stream begins with what there is.

        Raises:
            RefusedLiveError: It is refused, and will be again.
        """
        flow = api.LIVE_MAILING if mailing else api.LIVE
        while True:
            headers = (
                self._headers | {"Accept": "text/event-stream"} | ({} if last is None else {"Last-Event-ID": str(last)})
            )
            try:
                async with self._http.stream(
                    "GET", self._url(flow, {"mailing": mailing}), headers=headers, timeout=_SILENCE
                ) as reply:
                    if not reply.is_success:
                        await reply.aread()
                        await _come_again(reply)
                        continue
                    async for event in _events(reply.aiter_lines()):
                        if event.position:
                            last = event.position
                        if event.kind:
                            yield event
            except httpx.TransportError:  # it broke: go on from the last event
                await asyncio.sleep(_PAUSE)

    async def _ask(self, wanted: Command | Query, headers: dict[str, str], key: str) -> Answer:
        started = time.monotonic()
        deadline = started + self._seconds
        pause = _PAUSE
        while (left := deadline - time.monotonic()) > 0:
            try:
                reply = await self._http.send(self._request(wanted, headers))
            except (httpx.ConnectError, httpx.ConnectTimeout):  # it reached nobody: try again until the time is up
                if time.monotonic() - started > self._patience:
                    break
                await asyncio.sleep(min(pause, left))
                continue
            except httpx.TransportError as error:  # it may be done: the caller decides
                raise UnansweredError(wanted.NAME, key, self._seconds, reached=True) from error
            if (
                reply.status_code == 429 and _refusal(reply).code == "rate_limited"
            ):  # it was not looked at: come again when told to
                await asyncio.sleep(min(_wait(reply), max(0.0, left)))
                continue
            return _answer(reply)
        raise UnansweredError(wanted.NAME, key, self._seconds, reached=False)

    def _request(self, wanted: Command | Query, headers: dict[str, str]) -> httpx.Request:
        row = _ROWS[type(wanted)]
        data = wanted.model_dump(mode="json", exclude_defaults=True)
        url, headers = self._url(row, data), self._headers | headers
        rest = {name: value for name, value in data.items() if f"{{{name}}}" not in row.path}
        if row.method in ("POST", "PUT"):
            return self._http.build_request(row.method, url, json=rest, headers=headers)
        return self._http.build_request(row.method, url, params=rest, headers=headers)

    def _url(self, row: Endpoint | Flow, data: Mapping[str, Any]) -> str:
        path = re.sub(r"{(\w+)}", lambda part: str(data[part[1]]), row.path)
        return f"{self._urls[row.service]}{VERSION}{path}"


class RefusedLiveError(RuntimeError):
    """A live stream is refused: the token does not hold, or there is no such mailing."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"{refusal.code}: {refusal.message}")
        self.refusal = refusal


def _proving(bearer: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {bearer}"} if bearer else {}


def _answer(reply: httpx.Response) -> Answer:
    if not reply.is_success:
        return Answer(ok=False, refusal=_refusal(reply))
    body = reply.json()
    return Answer(ok=True, position=body["position"], data=body["data"])


def _refusal(reply: httpx.Response) -> Refusal:
    try:
        body = reply.json()
        return Refusal(code=body["code"], message=body["detail"], field=body["field"], line=body["line"])
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError):  # a proxy in between answered
        return Refusal(code="unavailable", message=f"HTTP {reply.status_code} {reply.reason_phrase}")


def _wait(reply: httpx.Response) -> float:
    after = reply.headers.get("retry-after", "")
    return min(_LONGEST_PAUSE, float(after)) if after.isdecimal() else 1.0


async def _come_again(reply: httpx.Response) -> None:
    if reply.status_code not in (429, 502, 503, 504):
        raise RefusedLiveError(_refusal(reply))
    await asyncio.sleep(_wait(reply))


async def _events(lines: AsyncIterator[str]) -> AsyncIterator[LiveEvent]:
    """Yield events; one without a kind only says how far it is."""
    kind, data, position = "", "", 0
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            kind = value
        elif name == "data":
            data = value
        elif name == "id":
            position = int(value)
        elif not line:
            yield LiveEvent(kind if data else "", position, json.loads(data) if data else {})
            kind, data, position = "", "", 0
