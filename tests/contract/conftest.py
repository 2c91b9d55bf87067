"""The contracts of the event log are proven on one server and on a cluster of three, which differ in places."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from nats.aio.client import Client

from deploy.streams import STREAMS
from shared.eventlog.connection import close, connect
from shared.eventlog.store import EventLog
from tests.harness.nats import NatsCluster, NatsServer

Connect = Callable[..., Awaitable[Client]]


@dataclass
class Servers:
    """What a contract runs on."""

    url: str
    replicas: int
    nodes: list[NatsServer]

    async def create(self, nc: Client, *streams: str, **other: int) -> None:
        """Create streams as deploy/streams.py describes them, but for `other` fields."""
        for name in streams:
            config = next(stream.config for stream in STREAMS if stream.name == name)
            body = {**config, "name": name, "num_replicas": self.replicas, **other}
            answer = await nc.request(f"$JS.API.STREAM.CREATE.{name}", json.dumps(body).encode(), timeout=20)
            assert "error" not in json.loads(answer.data), answer.data


@pytest.fixture(params=["one", pytest.param("three", marks=pytest.mark.cluster)])
def servers(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Servers]:
    """Yield a single server, then a cluster."""
    if request.param == "one":
        server = NatsServer.started(tmp_path / "nats")
        yield Servers(server.url, 1, [server])
        server.kill()
    else:
        cluster: NatsCluster = request.getfixturevalue("cluster")
        yield Servers(cluster.url, 3, cluster.nodes)


@pytest.fixture
async def connected(servers: Servers) -> AsyncIterator[Connect]:
    """Yield a function that opens connections, which are closed at the end."""
    opened: list[Client] = []

    async def open_one(url: str = servers.url) -> Client:
        opened.append(await connect(url, name="contract"))
        return opened[-1]

    yield open_one
    for client in opened:
        await close(client)


@pytest.fixture
async def log(servers: Servers, connected: Connect) -> EventLog:
    """Return the event log on a fresh EVENTS stream."""
    nc = await connected()
    await servers.create(nc, "EVENTS")
    return EventLog(nc)
