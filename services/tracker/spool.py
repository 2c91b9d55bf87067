"""A bounded journal on disk for what the log cannot take now: lines with a checksum, fsynced before `put` returns.

Writes that come together share one fsync, in a thread of their own. `drain` seals the file being written and hands its
entries out in order; a file is removed once all of them were taken. Files of a dead process are adopted by the next one
(a lock tells the living from the dead). Lines that cannot be read are set aside in `<file>.damaged` and counted, the
others go on. Beyond the limit hits are refused (`SpoolFullError`), consent may use a reserve of the same size.
"""

import asyncio
import fcntl
import logging
import os
import zlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from services.tracker import metrics
from services.tracker.entries import Entry, EntryError, decode, encode
from shared.ids import new_id
from shared.steps import step

log = logging.getLogger(__name__)

_SUFFIX = ".spool"
_ROTATE = 4 * 1024 * 1024


class SpoolFullError(Exception):
    """The spool holds as much as it may, or the disk refuses: the entry was not kept."""


@dataclass
class _Segment:
    path: Path
    descriptor: int
    size: int = 0


@dataclass
class _Waiting:
    lines: list[bytes] = field(default_factory=list)
    written: asyncio.Future[None] | None = None


class Spool:
    """The spool of one tracker process in `folder`, at most `limit` bytes of hits."""

    def __init__(self, folder: Path, limit: int = 64 * 1024 * 1024) -> None:
        self._folder = folder
        self._limit = limit
        self._writer = ThreadPoolExecutor(1, "spool")
        self._active: _Segment | None = None
        self._sealed: list[_Segment] = []
        self._waiting = _Waiting()
        self._busy: asyncio.Task[None] | None = None
        self.bytes = 0

    def open(self) -> None:
        """Adopt what processes that are gone left in the folder."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(self._folder.glob("*" + _SUFFIX), key=lambda p: p.stat().st_mtime_ns):
            descriptor = os.open(path, os.O_RDWR)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # a living tracker writes it: leave it alone
                os.close(descriptor)
                continue
            segment = _Segment(path, descriptor, path.stat().st_size)
            self._sealed.append(segment)
            self.bytes += segment.size

    @property
    def empty(self) -> bool:
        """Whether nothing waits here for the log."""
        return not self._sealed and self._active is None and not self._waiting.lines

    async def put(self, entry: Entry) -> None:
        """Keep an entry: on disk and fsynced on return.

        Raises:
            SpoolFullError: It was not kept.
        """
        line = _line(entry)
        if self.bytes + len(line) > self._limit * (2 if entry.precious else 1):
            raise SpoolFullError(f"the spool in {self._folder} holds its limit of {self._limit} bytes")
        self.bytes += len(line)
        waiting = self._waiting
        waiting.lines.append(line)
        if waiting.written is None:
            waiting.written = asyncio.get_running_loop().create_future()
        if self._busy is None or self._busy.done():
            self._busy = asyncio.get_running_loop().create_task(self._write_waiting())
        await asyncio.shield(waiting.written)

    async def _write_waiting(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting.lines:
            batch = self._waiting
            self._waiting = _Waiting()
            data = b"".join(batch.lines)
            written = batch.written
            assert written is not None  # noqa: S101 - set by the first `put` of the batch
            try:
                await loop.run_in_executor(self._writer, self._write, data)
            except OSError as error:  # disk full or gone: every put of the batch is refused and counted by its caller
                self.bytes -= len(data)
                written.set_exception(SpoolFullError(f"cannot write the spool: {error}"))
                written.exception()  # a caller that went away leaves no warning
            else:
                written.set_result(None)

    def _write(self, data: bytes) -> None:
        segment = self._active or self._begin()
        try:
            view = memoryview(data)
            while view:
                view = view[os.write(segment.descriptor, view) :]
            step("spool.written")
            os.fsync(segment.descriptor)
            step("spool.synced")
        except OSError:  # refuse, and take the torn lines back, or write on in another file
            try:
                os.ftruncate(segment.descriptor, segment.size)
                os.lseek(segment.descriptor, segment.size, os.SEEK_SET)
            except OSError:
                self._seal()
            raise
        segment.size += len(data)
        if segment.size >= _ROTATE:
            self._seal()

    def _begin(self) -> _Segment:
        path = self._folder / f"{new_id()}{_SUFFIX}"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._active = _Segment(path, descriptor)
        return self._active

    def _seal(self) -> None:
        if self._active is not None:
            self._sealed.append(self._active)
            self._active = None

    async def drain(self) -> AsyncIterator[Entry]:
        """Yield every entry in order; what was yielded counts as taken when the next one is asked for.

        A consumer that stops in the middle of a file gets the whole file again: entries are idempotent.
        """
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._seal)
        while self._sealed:
            segment = self._sealed[0]
            for line in await loop.run_in_executor(self._writer, self._lines, segment):
                entry = await self._readable(segment, line)
                if entry is not None:
                    yield entry
            await loop.run_in_executor(self._writer, self._remove, segment)
            self.bytes -= segment.size
            if not self._sealed:
                await loop.run_in_executor(self._writer, self._seal)

    @staticmethod
    def _lines(segment: _Segment) -> list[bytes]:
        return segment.path.read_bytes().splitlines(keepends=True)

    async def _readable(self, segment: _Segment, line: bytes) -> Entry | None:
        checksum, _, body = line.rstrip(b"\n").partition(b" ")
        try:
            if not line.endswith(b"\n") or checksum != b"%08x" % zlib.crc32(body):
                raise EntryError("torn or damaged line")
            return decode(body)
        except EntryError as error:  # set aside for an operator, the others go on
            await self._aside(segment, line, error)
            return None

    async def set_aside(self, entry: Entry, reason: Exception) -> None:
        """Put an entry that `drain` yielded aside for an operator: the log refuses it for good."""
        await self._aside(self._sealed[0], _line(entry), reason)

    async def _aside(self, segment: _Segment, line: bytes, reason: Exception) -> None:
        metrics.SPOOL_DAMAGED.inc()
        log.error("spool: set a line of %s aside: %s", segment.path.name, reason)
        aside = segment.path.with_suffix(".damaged")
        await asyncio.get_running_loop().run_in_executor(self._writer, _append, aside, line)

    def _remove(self, segment: _Segment) -> None:
        segment.path.unlink()
        os.close(segment.descriptor)
        self._sealed.remove(segment)
        step("spool.removed")

    async def close(self) -> None:
        """Finish the writes under way and let go of the files; they stay for the next process."""
        if self._busy is not None:
            await self._busy
        self._writer.shutdown()
        for segment in [*self._sealed, *([self._active] if self._active else [])]:
            os.close(segment.descriptor)


def _line(entry: Entry) -> bytes:
    body = encode(entry)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _append(path: Path, line: bytes) -> None:
    with path.open("ab") as aside:
        aside.write(line.rstrip(b"\n") + b"\n")
