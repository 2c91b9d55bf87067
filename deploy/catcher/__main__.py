"""Run the catcher: `python -m deploy.catcher --smtp-port 2525 --http-port 8026 --folder data/mails`.

With `--outcomes` addresses show what a relay can do: `reject...@` is refused for good, `defer...@` is refused once for
five seconds and then accepted.
"""

import argparse
import asyncio
import contextlib
import gc
import logging
import signal
import time
from pathlib import Path

import uvloop

from deploy.catcher.pages import Pages
from deploy.catcher.smtp import Session, Sink
from deploy.catcher.store import MailStore
from shared import logs
from shared.webserver import WebServer

logger = logging.getLogger("catcher")

_FLUSH_SECONDS = 0.5
_DEFER_SECONDS = 5.0
_MOST_DEFERRED = 100_000


class Outcomes:
    """Verdicts by the local part, to show rejections and deferrals without a real relay."""

    def __init__(self) -> None:
        self._first_seen: dict[str, float] = {}

    def verdict(self, recipient: str) -> str:
        """Return the refusal of a recipient, or ""."""
        local = recipient.casefold()
        if local.startswith("reject"):
            return "550 5.1.1 no such mailbox"
        if not local.startswith("defer"):
            return ""
        now = time.monotonic()
        if len(self._first_seen) > _MOST_DEFERRED:
            self._first_seen.clear()
        first = self._first_seen.setdefault(local, now)
        return "" if now - first >= _DEFER_SECONDS else "451 4.7.1 greylisted, try again in five seconds"


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until told to stop."""
    store = MailStore(arguments.folder, arguments.keep)
    store.open()
    sink = Sink(store.take, Outcomes().verdict) if arguments.outcomes else Sink(store.take)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(lambda: Session(sink), arguments.host, arguments.smtp_port, backlog=512)
    web = WebServer(arguments.host, arguments.http_port, Pages(store).respond)
    await web.start()
    logger.info("up", extra={"smtp": arguments.smtp_port, "http": arguments.http_port, "kept": len(store.entries)})
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    while not stopping.is_set():
        with contextlib.suppress(TimeoutError):  # nobody stopped it: write the index and go on
            await asyncio.wait_for(stopping.wait(), _FLUSH_SECONDS)
        store.flush()
        sink.close_idle(loop.time())
    smtp.close()
    for session in list(sink.connections):
        session.close("421 4.3.2 going down")
    await web.stop()
    store.flush()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(
        prog="python -m deploy.catcher", description="Catch mail instead of delivering it."
    )
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--smtp-port", type=int, default=2525)
    parser.add_argument("--http-port", type=int, default=8026)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--keep", type=int, default=100_000, help="mails kept at most (default %(default)s)")
    parser.add_argument("--outcomes", action="store_true", help="reject...@ is refused, defer...@ is greylisted")
    arguments = parser.parse_args()
    logs.set_up("catcher")
    gc.freeze()
    uvloop.run(serve(arguments))


if __name__ == "__main__":
    main()
