"""Connections to SQLite that end once.

The thread of an aiosqlite connection ends with the first `stop`; whoever stops it once more waits for ever. SQLAlchemy
stops by force what is still closing when that is cancelled, and the cancelled closing stops it again: a service that
was told to end would not (aiosqlite 0.22).
"""

import asyncio
import sqlite3
from functools import partial
from typing import Any

import aiosqlite

_ROWS_AT_ONCE = 64


class EndsOnce(aiosqlite.Connection):
    """A connection that may be stopped any number of times: all wait for the same end."""

    _end: "asyncio.Future[Any] | None" = None
    _stopped = False

    def stop(self) -> "asyncio.Future[Any] | None":
        """End its thread; return what waits for that, None without a loop."""
        if not self._stopped:
            self._stopped, self._end = True, super().stop()
        return self._end


def connect(database: str, **arguments: Any) -> EndsOnce:  # noqa: ANN401 - those of `sqlite3.connect`
    """Return a connection to be awaited."""
    connection = EndsOnce(partial(sqlite3.connect, database, **arguments), _ROWS_AT_ONCE)
    connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy does: nobody waits for it
    return connection
