"""Fixtures every level of tests shares: real servers, fresh for each test or emptied after it."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import hypothesis
import pytest
import uvloop
from nats.aio.client import Client

from shared.eventlog.connection import close, connect
from tests.harness.databases import KIND, KINDS, Database, database_of
from tests.harness.nats import NatsCluster, NatsServer
from tests.harness.streams import lay_streams
from tests.harness.waiting import until_sync

# Other tests run beside properties: time is measured elsewhere. A build tries the same examples each time, so that its
# verdict is about the change; who works on the code tries new ones (both as Hypothesis does it by itself).
hypothesis.settings.register_profile(
    "patient",
    deadline=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
    derandomize="CI" in os.environ,
)
hypothesis.settings.load_profile("patient")


def pytest_collection_finish() -> None:
    """Look for garbage again: what is collected sets it aside while it loads (shared/spared.py), and stays."""
    gc.freeze()
    gc.set_threshold(10_000)


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Run tests on the loop the services run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture
def laid(request: pytest.FixtureRequest) -> bool:
    """Return whether `database` has the tables of planner and reporting already: where a planner starts on it."""
    return "planner_settings" in request.fixturenames


@pytest.fixture(params=KINDS)
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, laid: bool
) -> Iterator[Database]:
    """Yield an empty database, SQLite and PostgreSQL in turn; services that the test starts use it, too."""
    with database_of(request.param, tmp_path, laid=laid) as found:
        monkeypatch.setenv("POSTHASTE_DATABASE_URL", found.url)
        yield found


@pytest.fixture(autouse=KIND == "postgresql")
def _database_of_the_run(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Give every test that may start a service a database of its own, where the whole suite runs on PostgreSQL."""
    if "database" in request.fixturenames or "tmp_path" not in request.fixturenames or "spec" in request.path.parts:
        yield
        return
    with database_of(KIND, request.getfixturevalue("tmp_path"), laid=True) as found:
        monkeypatch.setenv("POSTHASTE_DATABASE_URL", found.url)
        yield


@pytest.fixture
def nats_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NatsServer]:
    """Yield a fresh server, without streams unless the test wants `log_streams`."""
    if "log_streams" in request.fixturenames:
        lay_streams(tmp_path / "nats")
    server = NatsServer.started(tmp_path / "nats")
    yield server
    server.kill()


@pytest.fixture
async def nc(nats_server: NatsServer) -> AsyncIterator[Client]:
    """Yield a connection to `nats_server`."""
    client = await connect(nats_server.url, name="test")
    yield client
    await close(client)


@pytest.fixture
def log_streams(nats_server: NatsServer) -> NatsServer:
    """Return a fresh server that has all streams of deploy/streams.py."""
    return nats_server


@pytest.fixture(scope="session")
def cluster_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsCluster]:
    """Yield one cluster of three for the whole run of this process."""
    cluster = NatsCluster.started(tmp_path_factory.mktemp("cluster"))
    yield cluster
    cluster.stop()


@pytest.fixture
def cluster(cluster_nodes: NatsCluster) -> Iterator[NatsCluster]:
    """Yield the cluster without streams and with all nodes up; whatever a test killed is started again."""
    cluster_nodes.start()
    until_sync(cluster_nodes.healthy, 30)
    yield cluster_nodes
    cluster_nodes.start()
    cluster_nodes.delete_streams()
