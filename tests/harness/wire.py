"""A TCP wire between a client and a server that a test can make long, make lose answers, or cut.

As a process of its own, for benchmarks: `python -m tests.harness.wire --target PORT --delay SECONDS` prints its port.
"""

import argparse
import asyncio
import contextlib
from typing import Self

import uvloop


class Wire:
    """Forwards connections to `target_port`.

    Attributes:
        swallow_answers: While true, what the server says is lost on the way.
        delay: Seconds that everything takes, in either direction.
        port: Where clients connect.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self.swallow_answers = False
        self.delay = 0.0
        self.port = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    def cut(self) -> None:
        """Break all connections; new ones work, answers included."""
        self.swallow_answers = False
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:  # nobody there: the client sees a broken connection and tries again
            writer.transport.abort()
            return
        self._writers |= {writer, far_writer}
        await asyncio.gather(
            self._pump(reader, far_writer, answers=False), self._pump(far_reader, writer, answers=True)
        )

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool) -> None:
        with contextlib.suppress(OSError):  # either end broke: so does the other
            while data := await reader.read(65536):
                if answers and self.swallow_answers:
                    continue
                if self.delay:
                    asyncio.get_running_loop().call_later(self.delay, self._late, writer, data)
                else:
                    writer.write(data)
                    await writer.drain()
        if self.delay:  # what is still on its way arrives before the end does
            asyncio.get_running_loop().call_later(self.delay, writer.transport.abort)
        else:
            writer.transport.abort()

    @staticmethod
    def _late(writer: asyncio.StreamWriter, data: bytes) -> None:
        if not writer.transport.is_closing():
            writer.write(data)


async def _run(target: int, delay: float) -> None:
    async with Wire(target) as wire:
        wire.delay = delay
        print(wire.port, flush=True)  # noqa: T201 - how the parent learns the port
        await asyncio.Event().wait()


def main() -> None:
    """Run as a process of its own until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", type=int, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that everything takes, in either direction")
    asked = parser.parse_args()
    uvloop.run(_run(asked.target, asked.delay))


if __name__ == "__main__":
    main()
