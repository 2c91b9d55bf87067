"""All streams of deploy/streams.py as files: a server that starts on a copy of them has them, and nobody makes them.

To make them anew costs 0.2 s of processor time and 20 waits for the disk, and hundreds of tests want them. What a test
says of making or changing streams is in tests/contract/test_streams.py, and starts on an empty server.
"""

import asyncio
import functools
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from deploy.apply import apply
from shared.eventlog.connection import close, connect
from tests.harness.nats import NatsServer


def lay_streams(folder: Path) -> None:
    """Put the files where a server that does not run yet will look for its streams, unless it has some."""
    if not (folder / "jetstream").exists():
        shutil.copytree(Path(_made().name) / "jetstream", folder / "jetstream")


@functools.cache
def _made() -> tempfile.TemporaryDirectory[str]:
    folder = tempfile.TemporaryDirectory(prefix="posthaste-streams-")
    server = NatsServer.started(Path(folder.name))
    with ThreadPoolExecutor(1) as pool:  # a loop of its own: the caller's may be running
        pool.submit(asyncio.run, _make(server.url)).result()
    server.stop()
    return folder


async def _make(url: str) -> None:
    nc = await connect(url, name="streams")
    await apply(nc)
    await close(nc)
