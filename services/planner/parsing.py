"""A CSV file is parsed by a process of its own, which leaves the planner's interpreter to the database and to requests.

`parsed` starts `python -m services.planner.parsing`, gives it the parts of a file, and yields blocks of rows that are
ready for `contacts.upsert`. Messages either way are a length and JSON; pipes that are full make either side wait, so
memory holds a few blocks. A file that cannot be read on raises `CsvError` behind the rows before it; a part that is
gone raises what fetching it raised. The process ends when its standard input does: it outlives no planner.
"""

import asyncio
import contextlib
import gc
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

import orjson

from services.planner.csv_rows import CsvError, CsvFile, Options, Reject, Row
from services.planner.incoming import Incoming, incoming
from shared.address_keys import AddressKeys

BLOCK = 250
_AHEAD = 1024 * 1024
_LENGTH = 4
_GARBAGE = 100_000  # rows are not cyclic: look for cycles seldom


class ParserEndedError(RuntimeError):
    """The parsing process ended before the file did."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file, in its order: how many, which of them are contacts, and which were left out."""

    rows: int
    good: list[Incoming]
    bad: list[Reject]


@asynccontextmanager
async def parsed(
    parts: AsyncIterable[bytes], options: Options, pepper: bytes, skip: int
) -> AsyncGenerator[AsyncGenerator[Block]]:
    """Yield the blocks of a file but its first `skip` rows, while the process that parses it runs."""
    command = (sys.executable, "-m", __name__)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=_AHEAD)
    if process.stdin is None or process.stdout is None:  # never: they are asked for
        raise ParserEndedError("the process that parses has no pipes")
    wanted = {
        "options": [options.encoding, options.delimiter, dict(options.columns)],
        "pepper": pepper.hex(),
        "skip": skip,
    }
    feeding = asyncio.create_task(_feed(process.stdin, orjson.dumps(wanted), parts))
    try:
        yield _blocks(process.stdout, feeding)
    finally:
        feeding.cancel()
        with contextlib.suppress(ProcessLookupError):  # it has ended by itself
            process.kill()
        await process.wait()
        await asyncio.gather(feeding, return_exceptions=True)  # whoever read the blocks was told


async def _feed(pipe: asyncio.StreamWriter, wanted: bytes, parts: AsyncIterable[bytes]) -> None:
    try:
        _send(pipe.write, wanted)
        async for part in parts:
            if part:
                _send(pipe.write, part)
                await pipe.drain()
        _send(pipe.write, b"")  # all is told; without it the process says nothing of an end
        await pipe.drain()
    except (BrokenPipeError, ConnectionResetError):  # it has said why, or is dead: who listens finds out
        return
    finally:
        pipe.close()


async def _blocks(pipe: asyncio.StreamReader, feeding: asyncio.Task[None]) -> AsyncGenerator[Block]:
    while True:
        try:
            size = int.from_bytes(await pipe.readexactly(_LENGTH), "big")
            said = orjson.loads(await pipe.readexactly(size))
        except asyncio.IncompleteReadError as error:  # a part is missing, which raises, or the process died
            await feeding
            raise ParserEndedError("the process that parses ended before the file") from error
        if "error" in said:
            raise CsvError(*said["error"])
        if not said["rows"]:
            return
        good = [Incoming._make(row) for row in said["good"]]
        yield Block(said["rows"], good, [Reject(*row) for row in said["bad"]])


def _send(write: Callable[[bytes], object], body: bytes) -> None:
    write(len(body).to_bytes(_LENGTH, "big") + body)


def _received(pipe: BinaryIO) -> bytes:
    """Return a message; the end of the pipe ends the process."""
    head = pipe.read(_LENGTH)
    body = pipe.read(size := int.from_bytes(head, "big"))
    if len(head) < _LENGTH or len(body) < size:
        raise SystemExit(1)
    return body


def _told(source: BinaryIO) -> Iterator[bytes]:
    while part := _received(source):
        yield part


def messages(source: BinaryIO) -> Iterator[dict[str, Any]]:
    """Yield what the process says of the file it is told."""
    wanted = orjson.loads(_received(source))
    key = AddressKeys(bytes.fromhex(wanted["pepper"])).of
    good: list[tuple[Any, ...]] = []
    bad: list[tuple[Any, ...]] = []

    def block() -> dict[str, Any]:
        said = {"rows": len(good) + len(bad), "good": good.copy(), "bad": bad.copy()}
        good.clear()
        bad.clear()
        return said

    try:
        for row in islice(CsvFile(_told(source), Options(*wanted["options"])), wanted["skip"], None):
            if isinstance(row, Row):
                good.append(tuple(incoming(row.address, key(row.address), row.name, row.fields)))
            else:
                bad.append(tuple(row))
            if len(good) + len(bad) == BLOCK:
                yield block()
    except CsvError as error:  # told behind the rows before it, which are taken in
        if good or bad:
            yield block()
        yield {"error": [error.code, error.message, error.line, error.column]}
        return
    if good or bad:
        yield block()
    yield block()


def main() -> None:
    """Parse what comes on standard input until its end."""
    for number in (signal.SIGINT, signal.SIGTERM):  # whoever started us ends us
        signal.signal(number, signal.SIG_IGN)
    gc.set_threshold(_GARBAGE)
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        for said in messages(sys.stdin.buffer):
            _send(sys.stdout.buffer.write, orjson.dumps(said))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
