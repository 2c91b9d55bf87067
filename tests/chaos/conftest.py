"""Which faults are tried today, and the sender's world for faults.

Scenarios marked `drawn(pool, count)` cost seconds each: a run tries `count` of each pool, drawn by the date. What is
not marked is always tried. POSTHASTE_CHAOS=all tries everything, and on a cluster of three as well (`three`) but for
what is about the one server (`one_server`); POSTHASTE_CHAOS_SEED=2026-11-22 repeats the draw and the dice of that day,
which a failed test prints.
"""

import hashlib
import os
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pytest
from nats.aio.client import Client

from shared.contracts.subjects import ChunkRef
from tests.harness import toll
from tests.harness.installations import CLUSTER, applied
from tests.harness.nats import NatsCluster, NatsServer
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.streams import lay_streams
from tests.harness.system import unhurried

HERE = Path(__file__).parent
SEED = os.environ.get("POSTHASTE_CHAOS_SEED") or f"{datetime.now(UTC):%Y-%m-%d}"
EVERYTHING = os.environ.get("POSTHASTE_CHAOS") == "all"
SMALL, CHUNKS = 100, 8
COLUMNS = ("planned", "delivered", "lost", "doubled", "unnamed", "in_doubt", "after s", "outcome")


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{SEED}/{text}".encode()).digest()[:8])


def _shuffled(pool: list[pytest.Item]) -> list[pytest.Item]:
    """Return the pool in the order of the day: one case of each scenario before the second case of any."""
    place: dict[pytest.Item, tuple[int, int]] = {}
    cases: Counter[str] = Counter()
    for item in sorted(pool, key=lambda item: _number(item.nodeid)):
        scenario = item.nodeid.partition("[")[0]
        place[item] = (cases[scenario], _number(scenario))
        cases[scenario] += 1
    return sorted(pool, key=place.__getitem__)


def _beside_the_point(item: pytest.Item) -> bool:
    """Whether it kills the one server of an installation that is on a cluster."""
    given = getattr(item, "callspec", None)
    return given is not None and given.params.get("kind_of_log") == "three" and given.params.get("service") == "nats"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not drawn today; what was named on the command line by its own id always runs."""
    items[:] = [item for item in items if not _beside_the_point(item)]
    if EVERYTHING or any("::" in argument for argument in config.args):
        return
    pools: dict[tuple[str, int], list[pytest.Item]] = {}
    for item in items:
        mark = item.get_closest_marker("drawn")
        if mark is not None and HERE in item.path.parents:
            pools.setdefault(mark.args, []).append(item)
    left_out = {item for (_, count), pool in pools.items() for item in _shuffled(pool)[count:]}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Keep what the scenario cost, for the table at the end."""
    toll.begin()
    try:
        return (yield)
    finally:
        item.user_properties += [("toll", asdict(found)) for found in toll.tolls()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of `make chaos`: what each fault cost."""
    if not EVERYTHING:
        return
    terminalreporter.section("what the faults cost")
    terminalreporter.write_line(f"{'fault':<88}" + "".join(f"{column:>10}" for column in COLUMNS))
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.stats.get(outcome, []):
            if report.nodeid.startswith("tests/chaos/") and isinstance(report, pytest.TestReport):
                _write_rows(terminalreporter, report, outcome)


def _write_rows(terminalreporter: pytest.TerminalReporter, report: pytest.TestReport, outcome: str) -> None:
    name = report.nodeid.removeprefix("tests/chaos/test_").replace(".py::test_", ": ").replace("_", " ")
    tolls = [found for name, found in report.user_properties if isinstance(found, dict)]
    for found in tolls or [{}]:
        cells = [found.get(column) for column in COLUMNS[:-2]] + [found.get("seconds"), outcome]
        shown = [f"{cell:.1f}" if isinstance(cell, float) else "-" if cell is None else str(cell) for cell in cells]
        terminalreporter.write_line(f"{name[:86]:<88}" + "".join(f"{cell:>10}" for cell in shown))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Try everything on both kinds of log."""
    tied = metafunc.definition.get_closest_marker("one_server") or metafunc.definition.get_closest_marker("cluster")
    if EVERYTHING and tied is None:
        metafunc.parametrize("kind_of_log", ["one", "three"], indirect=True)


@pytest.fixture(autouse=True)
def kind_of_log(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let installations of the test use a cluster where it is the turn of one."""
    kind = str(getattr(request, "param", "one"))
    if kind == "three":
        monkeypatch.setenv(CLUSTER, request.getfixturevalue("cluster").url)
    return kind


@pytest.fixture
def nats_server(kind_of_log: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NatsServer | NatsCluster]:
    """Yield a fresh server, or the cluster, without streams unless the test wants `log_streams`."""
    if kind_of_log == "three":
        yield request.getfixturevalue("cluster")
        return
    if "log_streams" in request.fixturenames:
        lay_streams(tmp_path / "nats")
    server = NatsServer.started(tmp_path / "nats")
    yield server
    server.kill()


@pytest.fixture
async def log_streams(kind_of_log: str, nats_server: NatsServer, nc: Client) -> NatsServer:
    """Return it with all streams of deploy/streams.py."""
    if kind_of_log == "three":
        await applied(nc, replicas=3)
    return nats_server


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Return the chance of this test today; the seed stands in the output of a test that fails."""
    print(f"again with: POSTHASTE_CHAOS_SEED={SEED} pytest '{request.node.nodeid}'")  # noqa: T201 - for who repeats it
    return random.Random(_number(request.node.nodeid))


@pytest.fixture
async def relay() -> AsyncIterator[ScriptedSmtp]:
    """Yield a relay that takes four milliseconds for every mail, so that a fault finds work under way."""
    server = await ScriptedSmtp(unhurried(0.004)).start()
    yield server
    await server.stop()


@pytest.fixture
async def sending(log_streams: NatsServer, nc: Client, relay: ScriptedSmtp, tmp_path: Path) -> AsyncIterator[Sending]:
    """Yield the sender's world with a tested account of four lines."""
    rig = Sending(nc, log_streams.url, relay.port, tmp_path / "data")
    rig.folder.mkdir()
    await rig.add_account()
    yield rig
    rig.stop()


@pytest.fixture
async def chunks(sending: Sending) -> dict[ChunkRef, list[str]]:
    """Start mailing m1 and plan eight chunks of a hundred for it."""
    await sending.start_mailing("m1")
    planned = {}
    for n in range(CHUNKS):
        addresses = [f"ann{n}x{i}@example.com" for i in range(SMALL)]
        planned[await sending.plan("m1", n, addresses)] = addresses
    return planned
