"""A CSV file is parsed by a process of its own, which leaves the planner's interpreter to the database and to requests.

`parsed` starts `services.planner.intake.parser`, gives it the parts of a file, and yields blocks of rows that are
ready for `contacts.upsert`. Messages either way are a length and JSON; pipes that are full make either side wait, so
memory holds a few blocks. A file that cannot be read on raises `CsvError` behind the rows before it; a part that is
gone raises what fetching it raised. The process ends when its standard input does: it outlives no planner.
"""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncGenerator, AsyncIterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import orjson

from services.planner.contacts.claims import Claim
from services.planner.contacts.incoming import Incoming
from services.planner.intake import parser
from services.planner.intake.csv_rows import CsvError, Options, Reject
from services.planner.intake.parser import LENGTH, framed

_AHEAD = 1024 * 1024


class ParserEndedError(RuntimeError):
    """The parsing process ended before the file did."""


@dataclass(frozen=True, slots=True)
class Block:
    """Some rows of a file, in its order: how many, which of them are contacts, and which were left out.

    `claims`: of contacts that came in a row with several addresses.
    """

    rows: int
    good: list[Incoming]
    bad: list[Reject]
    claims: list[Claim] = field(default_factory=list)


@asynccontextmanager
async def parsed(
    parts: AsyncIterable[bytes], options: Options, pepper: bytes, domains: Mapping[str, str], *, skip: int
) -> AsyncGenerator[AsyncGenerator[Block]]:
    """Yield the blocks of a file but its first `skip` rows, while the process that parses it runs.

    Contacts get their key under `pepper` and their provider by `domains`.
    """
    command = (sys.executable, "-m", parser.__name__)
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, limit=_AHEAD)
    if process.stdin is None or process.stdout is None:  # never: they are asked for
        raise ParserEndedError("the process that parses has no pipes")
    wanted = {
        "options": [options.encoding, options.delimiter, dict(options.columns), list(options.kinds)],
        "pepper": pepper.hex(),
        "domains": dict(domains),
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
        await _tell(pipe, wanted)
        async for part in parts:
            if part:
                await _tell(pipe, part)
        await _tell(pipe, b"")  # all is told; without it the process says nothing of an end
    except (BrokenPipeError, ConnectionResetError):  # it has said why, or is dead: who listens finds out
        return
    finally:
        pipe.close()


async def _tell(pipe: asyncio.StreamWriter, body: bytes) -> None:
    if pipe.is_closing():  # the loop of the services raises something else then
        raise BrokenPipeError
    pipe.write(framed(body))
    await pipe.drain()


async def _blocks(pipe: asyncio.StreamReader, feeding: asyncio.Task[None]) -> AsyncGenerator[Block]:
    while True:
        try:
            size = int.from_bytes(await pipe.readexactly(LENGTH), "big")
            said = orjson.loads(await pipe.readexactly(size))
        except asyncio.IncompleteReadError as error:  # a part is missing, which raises, or the process died
            await feeding
            raise ParserEndedError("the process that parses ended before the file") from error
        if "error" in said:
            raise CsvError(*said["error"])
        if not said["rows"]:
            return
        good = [Incoming._make(row) for row in said["good"]]
        yield Block(
            said["rows"], good, [Reject(*row) for row in said["bad"]], [Claim(*row) for row in said.get("claims", ())]
        )
