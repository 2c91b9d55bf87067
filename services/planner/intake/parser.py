"""The program that parses one file for the planner: `python -m services.planner.intake.parser`, started by `parsing`.

In, on standard input: what is wanted, then the parts of the file, then an empty message. Out: blocks of rows that are
ready for `contacts.upsert`, and an empty one at the end, or why the file cannot be read on. It ends when its pipe does,
without a word where that is before the end of the file. It knows no database and no broker, so it is small.
"""

import contextlib
import gc
import signal
import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any, BinaryIO

import orjson

from services.planner.contacts.incoming import incoming
from services.planner.intake.csv_rows import CsvError, CsvFile, Options, Row
from shared.address_keys import AddressKeys

BLOCK = 250
LENGTH = 4
_GARBAGE = 100_000  # rows are not cyclic: look for cycles seldom


def framed(body: bytes) -> bytes:
    """Return a message as it goes through a pipe, either way."""
    return len(body).to_bytes(LENGTH, "big") + body


def _received(pipe: BinaryIO) -> bytes:
    """Return a message; the end of the pipe ends the process."""
    head = pipe.read(LENGTH)
    body = pipe.read(size := int.from_bytes(head, "big"))
    if len(head) < LENGTH or len(body) < size:
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
    claims: list[tuple[str, str, int]] = []

    def block() -> dict[str, Any]:
        said = {"rows": len(good) + len(bad), "good": good.copy(), "bad": bad.copy()}
        if claims:
            said["claims"] = claims.copy()
        good.clear()
        bad.clear()
        claims.clear()
        return said

    try:
        for row in islice(CsvFile(_told(source), Options(*wanted["options"])), wanted["skip"], None):
            if isinstance(row, Row):
                good.append(tuple(incoming(row.address, key(row.address), row.name, row.fields, wanted["domains"])))
                if row.first:
                    claims.append((key(row.first), key(row.address), row.slot))
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
    with contextlib.suppress(ConnectionError):  # nobody listens any more
        for said in messages(sys.stdin.buffer):
            sys.stdout.buffer.write(framed(orjson.dumps(said)))
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
