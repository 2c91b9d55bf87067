"""What the senders of a machine remember of the log, in a file beside their journals: its name, how far they saw it.

`saw` is told every commit that was read or written; the file follows every second, and at the stop. Several processes
share it: the one that saw most is kept, unless the log has another name by now.
"""

import asyncio
import os
from pathlib import Path

import orjson

from shared.eventlog.incarnation import Memory

NAME = "log.json"
_EVERY = 1.0


class LogMemory:
    """The file in one folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._written = Memory("")
        self.seen = Memory("")

    def load(self) -> Memory | None:
        """Return what the file says, None where there is none or it cannot be read."""
        try:
            return Memory(**orjson.loads(self._path.read_bytes()))
        except (OSError, ValueError, TypeError):  # nothing is remembered: the planner is asked
            return None

    def begin(self, memory: Memory) -> None:
        """Go by this log from now on, whatever was remembered."""
        self.seen = memory
        self._write(memory)

    def saw(self, seq: int, event_id: str) -> None:
        """Note a commit."""
        if seq > self.seen.seq and self.seen.incarnation:
            self.seen = Memory(self.seen.incarnation, seq, event_id)

    async def run(self) -> None:
        """Keep the file up to date for ever."""
        try:
            while True:
                await asyncio.sleep(_EVERY)
                self.save()
        finally:
            self.save()

    def save(self) -> None:
        """Write what was seen, if it is more than what stands there."""
        if self.seen.incarnation and self.seen != self._written:
            there = self.load()
            if there is None or there.incarnation != self.seen.incarnation or there.seq < self.seen.seq:
                self._write(self.seen)

    def _write(self, memory: Memory) -> None:
        draft = self._path.with_suffix(f".{os.getpid()}.draft")
        draft.write_bytes(orjson.dumps(memory.plain()))
        draft.replace(self._path)
        self._written = memory
