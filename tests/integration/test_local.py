"""The supervisor of one machine: starts in order, restarts what ends, dies as one, and holds its folder."""

import asyncio
import json
import os
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from deploy.apply import check
from deploy.data_folder import DataFolder, FolderHeldError, Ports
from deploy.local import Local, PortsTakenError
from deploy.supervisor import Program, StartError
from tests.harness.nats import free_port
from tests.harness.waiting import until

NOBODY = "http://127.0.0.1:9/readyz"
STAND_IN = "import signal, sys, time\nprint('up', flush=True)\nsignal.pause()\n"


def stand_in(code: str = STAND_IN, ready_url: str = "") -> Callable[[Local], list[Program]]:
    """Return services that are one small program."""
    return lambda _local: [Program("worker", (sys.executable, "-c", code), {"PATH": ""}, ready_url, grace=2)]


@pytest.fixture
async def local(tmp_path: Path) -> AsyncIterator[Local]:
    """Yield a running installation with a stand-in for the services."""
    async with Local(tmp_path / "data", ports="free", services=stand_in()) as running:
        yield running


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except FileNotFoundError:
        return False


async def test_everything_is_up_when_it_is_entered(local: Local) -> None:
    """NATS has its streams and users, the catcher answers, secrets are the owner's alone."""
    nc = await local.connect("deploy")
    assert await check(nc) == []
    await nc.close()
    assert await local.programs["catcher"].is_ready()
    assert stat.S_IMODE((local.folder.path / "secrets.json").stat().st_mode) == 0o600
    assert local.env("planner")["POSTHASTE_NATS_USER"] == "planner"
    passwords = {local.env(user)["POSTHASTE_NATS_PASSWORD"] for user in ("planner", "sender", "operator")}
    assert len(passwords) == 3
    assert local.env("sender", 1)["POSTHASTE_DATA_DIR"] != local.env("sender")["POSTHASTE_DATA_DIR"]


@pytest.mark.parametrize("name", ["nats", "catcher", "worker"])
async def test_what_is_killed_is_started_again(local: Local, name: str) -> None:
    """A program that ends by itself comes back, ready, with another pid."""
    kept = local.programs[name]
    before = kept.pid
    local.kill(name)
    await until(lambda: kept.pid not in (0, before), 10)
    await kept.wait_ready()


async def test_what_is_taken_down_stays_down_until_it_is_brought_up(local: Local) -> None:
    """A test or an operator can hold a program down."""
    await local.down("worker")
    assert local.programs["worker"].pid == 0
    await local.up("worker")
    assert local.programs["worker"].pid != 0
    before = local.programs["worker"].pid
    await local.restart("worker")
    assert local.programs["worker"].pid not in (0, before)


async def test_a_second_start_names_the_first(local: Local) -> None:
    """The folder is held; the message has the pid."""
    with pytest.raises(FolderHeldError, match=f"process {os.getpid()}"):
        await Local(local.folder.path, ports="free", services=stand_in()).start()
    assert all([await kept.is_ready() for kept in local.programs.values()])


async def test_a_second_start_on_the_same_folder_keeps_secrets_ports_and_log(tmp_path: Path) -> None:
    """Stopping and starting again is a restart, not a new installation."""
    seen = []
    for _ in range(2):
        async with Local(tmp_path, ports="free", services=stand_in()) as running:
            nc = await running.connect("planner")
            ack = await nc.jetstream().publish("evt.mailing.m1", b"[]")
            await nc.close()
            seen.append((running.ports, running.env("planner")["POSTHASTE_SECRET_KEYS"], ack.seq))
    assert seen[0][:2] == seen[1][:2]
    assert [seq for *_, seq in seen] == [1, 2]
    environment = DataFolder(tmp_path).client_environment()
    assert environment["POSTHASTE_NATS_USER"] == "operator"


async def test_a_program_that_does_not_get_ready_ends_the_start(tmp_path: Path) -> None:
    """The error has the end of its log, and nothing is left running."""
    broken = Local(tmp_path, ports="free", services=stand_in("raise SystemExit('no such thing')", NOBODY))
    with pytest.raises(StartError, match="no such thing"):
        await broken.start()
    assert broken.programs == {}
    DataFolder(tmp_path).hold()


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """Whoever listens on one of our ports is told of before anything starts."""
    server = await asyncio.start_server(lambda _r, _w: None, "127.0.0.1", port := free_port())
    ports = Ports(**{name: free_port() for name in Ports.__dataclass_fields__} | {"catcher_smtp": port})
    with pytest.raises(PortsTakenError, match=f"catcher_smtp {port}"):
        await Local(tmp_path, ports=ports, services=stand_in()).start()
    server.close()


SUPERVISOR = """
import asyncio, json, sys
from pathlib import Path
from deploy.local import Local
from tests.integration.test_local import stand_in

async def main():
    async with Local(Path(sys.argv[1]), ports="free", services=stand_in()) as local:
        print(json.dumps({name: kept.pid for name, kept in local.programs.items()}), flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    """After SIGKILL nothing of it runs on, and the folder can be held again."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", SUPERVISOR, str(tmp_path)), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    pids = json.loads(await asyncio.wait_for(process.stdout.readline(), 30))
    assert set(pids) == {"nats", "catcher", "worker"}
    process.send_signal(signal.SIGKILL)
    await process.wait()
    await until(lambda: not any(alive(pid) for pid in pids.values()), 5)
    async with Local(tmp_path, ports="free", services=stand_in()):
        pass
