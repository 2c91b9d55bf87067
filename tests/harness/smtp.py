"""A scripted SMTP server: says whatever a test wants at any phase, and keeps a log that is the witness of what arrived.

In a test: `async with ScriptedSmtp() as server`, script per server (`script=`) or behaviour per recipient by the prefix
of its local part (`reject-7@example.com`, see smtp_script.py). As a process of its own, for tests that kill services or
measure: `python -m tests.harness.smtp --port 0 --log FILE` prints its port and writes one JSON line per MAIL and
per accepted message, before it answers.
"""

import argparse
import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

import uvloop

from tests.harness.smtp_log import Accepted, SinkLog, read_log
from tests.harness.smtp_script import BEHAVIOURS, Act, Options, Phase, Script
from tests.harness.smtp_session import Session

__all__ = ["BEHAVIOURS", "Accepted", "Act", "Options", "Phase", "Script", "ScriptedSmtp", "Session", "read_log"]


class ScriptedSmtp:
    """The server. `accepted` and `mails` are its log; a path makes it a file.

    Attributes:
        slow: Seconds that `slow-...` takes for a reply to the dot.
        seen: Recipients that were greylisted once.
        connections: How many there were.
    """

    def __init__(
        self,
        script: Script | None = None,
        options: Options | None = None,
        *,
        log: Path | None = None,
        slow: float = 1.0,
    ) -> None:
        """Serve as `script` says, else by the recipient's behaviour, else politely."""
        self.script = script
        self.options = options or Options()
        self.slow = slow
        self.log = SinkLog(log)
        self.seen: set[str] = set()
        self.sessions: set[Session] = set()
        self.connections = 0
        self.tasks: set[asyncio.Task[None]] = set()
        self.port = 0
        self._server: asyncio.Server | None = None

    @property
    def accepted(self) -> list[Accepted]:
        """The messages it took."""
        return self.log.accepted

    @property
    def mails(self) -> list[tuple[float, str]]:
        """When it was told MAIL FROM, and by whom."""
        return self.log.mails

    async def start(self, port: int = 0) -> Self:
        """Listen on 127.0.0.1; `port` tells where."""
        tls = self.options.tls if self.options.implicit else None
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._session, "127.0.0.1", port, ssl=tls, backlog=1024)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for session in list(self.sessions):
            session.close()
        for task in list(self.tasks):
            task.cancel()
        self.log.close()

    def clear(self) -> None:
        """Forget what arrived and what was scripted."""
        self.script = None
        self.options = Options()
        self.slow = 1.0
        self.log.clear()
        self.seen.clear()
        for session in list(self.sessions):
            session.close()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def _session(self) -> Session:
        session = Session(self, self.connections)
        self.connections += 1
        return session


async def _serve(arguments: argparse.Namespace) -> None:
    options = Options(pipelining=not arguments.no_pipelining, per_connection=arguments.per_connection)
    server = ScriptedSmtp(_late(arguments.every) if arguments.every else None, options, log=arguments.log)
    server.slow = arguments.slow
    await server.start(arguments.port)
    print(server.port, flush=True)  # noqa: T201 - how the parent learns the port
    await asyncio.Event().wait()


def _late(seconds: float) -> Script:
    """Take so long for the reply to every message."""
    late = Act(b"250 2.0.0 Ok: queued as LATE1\r\n", delay=seconds)
    return lambda _session, phase: late if phase == "dot" else None


def main() -> None:
    """Run as a process of its own until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--no-pipelining", action="store_true")
    parser.add_argument("--per-connection", type=int, default=0, help="421 after so many messages")
    parser.add_argument("--slow", type=float, default=1.0, help="seconds that slow-... takes for a reply to the dot")
    parser.add_argument("--every", type=float, default=0.0, help="seconds that each reply to a dot takes")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
