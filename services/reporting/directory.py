"""The directory: names, addresses and notes from PEOPLE in SQL, so that reports can say who.

Each page of PEOPLE replaces what the directory knew of that page: who is missing from it is erased here too. It follows
the stream with a position of its own, outside every rebuild. What was deleted from PEOPLE itself is found by comparing
subjects, at the start and every few minutes. A stream that ends before the position was restored: all is read anew. A
page that cannot be read is logged and left as it was; it comes again with the next change.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import orjson
from sqlalchemy import delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting import tables
from services.reporting.bulk import Upsert
from shared.bulk import Row
from shared.contracts import subjects
from shared.database import in_turn, is_away, reading
from shared.eventlog.errors import UnavailableError
from shared.eventlog.position import Position
from shared.eventlog.reader import Reader, Stored
from shared.eventlog.scan import scan

logger = logging.getLogger(__name__)

_PERSON = Upsert(
    tables.people,
    ("contact", "address", "name", "source", "external", "slot", "customer", "page"),
    dict.fromkeys(("address", "name", "source", "external", "slot", "customer", "page"), "replace"),
)
_NOTE = Upsert(tables.notes, ("key", "text"), {"text": "replace"})
_POSITION = Upsert(tables.directory_position, ("name", "seq"), {"seq": "replace"})
_BATCH = 20
_COMPARE_EVERY = 300.0
_PAUSE = 0.5
_IN_ONE = 500


class Directory:
    """Keeps the directory like PEOPLE."""

    def __init__(self, reader: Reader, engine: AsyncEngine, *, pause: float = _PAUSE) -> None:
        """Follow the stream that `reader` reads, looking for news every `pause` seconds."""
        self._reader = reader
        self._engine = engine
        self._pause = pause
        self.position = 0
        self._reached = Position("the directory")
        self._stored = 0

    async def run(self) -> None:
        """Follow for ever."""
        loop = asyncio.get_running_loop()
        compare_at = 0.0
        while True:
            try:
                await self.catch_up()
                if loop.time() >= compare_at:
                    await self.compare()
                    compare_at = loop.time() + _COMPARE_EVERY
            except (UnavailableError, SQLAlchemyError, OSError) as error:  # nothing is lost: look again
                if not isinstance(error, UnavailableError) and not is_away(error):
                    raise
                logger.warning("the directory hears nothing from PEOPLE or its database: %s", error)
            await asyncio.sleep(self._pause)

    async def catch_up(self) -> None:
        """Take in what is new, up to the present end."""
        last = await self._reader.last(subjects.ALL_PEOPLE)
        end = last.seq if last else 0
        async with reading(self._engine).connect() as conn:
            self.position = self._stored = await _position(conn)
        if end < self.position and await self._ends_before(self.position):
            logger.warning("PEOPLE ends at %d, the directory was at %d: read anew", end, self.position)
            self.position = 0
        async for batch in scan(self._reader, [subjects.ALL_PEOPLE], start=self.position + 1, stop=end, batch=_BATCH):
            if not await self._store(batch):
                return
        self._reached.advance(end)

    async def caught_up(self, seconds: float) -> None:
        """Wait until all that stands in PEOPLE now is in the tables, so many seconds at most: then as it is."""
        last = await self._reader.last(subjects.ALL_PEOPLE)
        if last is not None:
            with contextlib.suppress(TimeoutError):
                await self._reached.wait_for(last.seq, seconds)

    async def compare(self) -> None:
        """Forget the pages and notes that are no longer in PEOPLE."""
        there = await self._subjects()
        async with self._engine.begin() as conn:
            await in_turn(conn, "directory")
            if await _position(conn) != self._stored:  # another one knows more: compared next time
                return
            pages = set(await conn.scalars(select(tables.people.c.page).distinct()))
            gone = [page for page in pages if subjects.person_page(page) not in there]
            await _forget(conn, tables.people.c.page, gone)
            keys = set(await conn.scalars(select(tables.notes.c.key)))
            await _forget(conn, tables.notes.c.key, [key for key in keys if _subject_of(key) not in there])

    async def _ends_before(self, position: int) -> bool:
        """Tell a restored stream from one whose last messages were erased."""
        state = (await self._reader.api("STREAM.INFO"))["state"]
        return bool(state["last_seq"] < position)

    async def _subjects(self) -> set[str]:
        found: set[str] = set()
        while True:
            question = {"subjects_filter": subjects.ALL_PEOPLE, "offset": len(found)}
            answer = await self._reader.api("STREAM.INFO", question)
            page = answer["state"].get("subjects") or {}
            found |= page.keys()
            if not page or len(found) >= answer.get("total", 0):
                return found

    async def _store(self, batch: Sequence[Stored]) -> bool:
        """Take a batch in; False where another instance has come further, which is then where to go on."""
        newest = {stored.subject: stored for stored in batch}
        position = batch[-1].seq
        async with self._engine.begin() as conn:
            await in_turn(conn, "directory")
            if await _position(conn) != self._stored:
                return False
            for stored in newest.values():
                try:
                    await _take(conn, stored)
                except (ValueError, KeyError, TypeError) as error:  # left as it was, see above
                    logger.error("PEOPLE %d on %s cannot be read: %r", stored.seq, stored.subject, error)  # noqa: TRY400 - a trace would show people
            await _POSITION.run(conn, [("people", position)])
        self.position = self._stored = position
        return True


def _subject_of(note: str) -> str:
    if note.startswith(tables.LIST_NOTE):
        return subjects.person_list(note.removeprefix(tables.LIST_NOTE))
    return subjects.person_note(note)


async def _position(conn: AsyncConnection) -> int:
    return int(await conn.scalar(select(tables.directory_position.c.seq)) or 0)


async def _take(conn: AsyncConnection, stored: Stored) -> None:
    """Bring one message into the tables; it is read whole before anything is changed.

    A newer planner may say more of a person than is understood here: that is left out.
    """
    _, kind, key = stored.subject.split(".", 2)
    body: dict[str, Any] = orjson.loads(stored.data) if stored.data else {}
    if kind == "page":
        page = int(key)
        rows: list[Row] = [
            (contact, address, name, *record[:4], *("", "", "", "")[len(record) :], page)
            for contact, address, name, *record in body.get("people", [])
        ]
        await conn.execute(delete(tables.people).where(tables.people.c.page == page))
        await _PERSON.run(conn, rows)
    elif kind == "list":
        await _NOTE.run(conn, [(tables.LIST_NOTE + key, str(body["name"]))])
    elif kind == "note":
        text = str(body.get("text", ""))
        if text:
            await _NOTE.run(conn, [(key, text)])
        else:
            await conn.execute(delete(tables.notes).where(tables.notes.c.key == key))


async def _forget(conn: AsyncConnection, column: Any, values: Sequence[Any]) -> None:  # noqa: ANN401 - a column of either type
    for start in range(0, len(values), _IN_ONE):
        await conn.execute(delete(column.table).where(column.in_(values[start : start + _IN_ONE])))
