"""Imports: a CSV file whose parts stand in INBOX becomes contacts on a list.

One import runs at a time, of all planners. Another process parses (`parsing`); slice by slice its rows are taken in.
Each slice is one short transaction that holds its contacts, its rejected rows and how far it got, so a crash goes on
where it stopped and other requests are answered meanwhile. Slices have as many rows as lately went into a fraction of a
second. At the end ContactsImported is appended and the parts are erased. A file that cannot be read on fails with the
line and leaves what was taken in.
"""

import asyncio
import contextlib
import hashlib
import itertools
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import Column, Integer, String, Table, Text, bindparam, select, update
from sqlalchemy import Row as SqlRow
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.contacts import claims, contacts, lists, search
from services.planner.contacts.claims import Claim
from services.planner.contacts.directory import Directory
from services.planner.contacts.incoming import Incoming
from services.planner.intake.csv_preview import preview
from services.planner.intake.csv_rows import CsvError, CsvFile, Options, Reject
from services.planner.intake.parser import BLOCK
from services.planner.intake.parsing import Block, ParserEndedError, parsed
from services.planner.schema import METADATA, insert
from shared import clock
from shared.contracts import subjects
from shared.contracts.audience import ContactsImported
from shared.contracts.commands import ImportContacts, PreviewImport, Refusal
from shared.contracts.envelope import Origin
from shared.contracts.records import KINDS
from shared.database import alone, reading
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.eventlog.store import EventLog
from shared.ids import derived_id
from shared.keys import KeyRing
from shared.providers import BUILT_IN, Providers
from shared.steps import step

logger = logging.getLogger(__name__)

SLICE = 3_000
_FIRST = 500
_AIM_S = 0.1  # of a transaction; on a busy machine slices get smaller
_LOOK_S = 1.0
_TRIES = 3
"""How often a file may be the death of the process that parses it."""
_LAST_LINE = 2**31 - 1
UNDER_WAY = ("running", "ending")
_PART_S = 60.0

IMPORTS = Table(
    "imports",
    METADATA,
    Column("upload", String(24), primary_key=True),
    Column("list", String(24), nullable=False),
    Column("wanted", Text, nullable=False),
    Column("principal", Text, nullable=False),
    Column("state", String(8), nullable=False, index=True),
    Column("rows", Integer, nullable=False, default=0),
    Column("added", Integer, nullable=False, default=0),
    Column("updated", Integer, nullable=False, default=0),
    Column("unchanged", Integer, nullable=False, default=0),
    Column("rejected", Integer, nullable=False, default=0),
    Column("problem", Text, nullable=False, default=""),
    Column("position", Integer, nullable=False, default=0),
)
_GO_ON = (
    update(IMPORTS)
    .where(IMPORTS.c.upload == bindparam("of"), IMPORTS.c.rows == bindparam("done"), IMPORTS.c.state == "running")
    .values(
        rows=IMPORTS.c.rows + bindparam("taken"),
        rejected=IMPORTS.c.rejected + bindparam("bad"),
        added=IMPORTS.c.added + bindparam("new"),
        updated=IMPORTS.c.updated + bindparam("changed"),
        unchanged=IMPORTS.c.unchanged + bindparam("same"),
    )
)
"""How far an import is after a slice; nothing where it is not where we left it. Made once: each slice says it."""
REJECTED = Table(
    "import_rejected",
    METADATA,
    Column("upload", String(24), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("column", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("value", Text, nullable=False),
)


class Importer:
    """Accepts imports and carries them out."""

    def __init__(  # noqa: PLR0917 - its parts
        self,
        engine: AsyncEngine,
        log: EventLog,
        inbox: Documents,
        keys: KeyRing,
        directory: Directory,
        providers: Providers = BUILT_IN,
        kinds: Sequence[str] = KINDS,
    ) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._log = log
        self._inbox = inbox
        self._keys = keys
        self._directory = directory
        self._providers = providers
        self._kinds = tuple(kinds)
        self._wake = asyncio.Event()
        self._size = _FIRST
        self._deaths = Counter[str]()

    async def accept(self, wanted: ImportContacts, principal: str) -> dict[str, Any] | Refusal:
        """Look at the header and put the import in line; the same upload again is the same import."""
        async with self._reading.connect() as conn:
            known = await _row(conn, wanted.upload)
        if known is not None:
            return _accepted(known, wanted)
        try:
            await self._inbox.get(subjects.upload_part(wanted.upload, wanted.parts - 1))
            file = await asyncio.to_thread(
                CsvFile, self._parts(wanted.upload, range(wanted.parts)), self._options(wanted)
            )
        except MissingError:  # refused: the caller uploads first
            return Refusal(code="upload_missing", message="Not all parts of the upload are there.", field="upload")
        except CsvError as error:  # refused as a whole: nothing was taken in
            return Refusal(code=error.code, message=str(error), field=error.column, line=error.line)
        async with self._engine.begin() as conn:
            list_id = await lists.ensure(conn, wanted.list)
            await lists.add_fields(conn, list_id, file.header.fields)
            row = {"upload": wanted.upload, "list": list_id, "principal": principal, "state": "running"}
            row["wanted"] = orjson.dumps(wanted.model_dump(mode="json")).decode()
            await conn.execute(insert(conn, IMPORTS).values(row).on_conflict_do_nothing())
            known = await _row(conn, wanted.upload)  # another planner may have been faster, and asked otherwise
        self._wake.set()
        return _accepted(known, wanted)

    async def preview(self, wanted: PreviewImport) -> dict[str, Any] | Refusal:
        """Look at the first rows of an upload."""
        first = subjects.upload_part(wanted.upload, 0)
        try:
            await self._inbox.get(first)
        except MissingError:  # refused: the caller uploads first
            return Refusal(code="upload_missing", message="There is no such upload (any more).", field="upload")
        parts = self._parts(wanted.upload, itertools.count())
        return await asyncio.to_thread(preview, _while_there(parts), self._options(wanted), wanted.limit)

    def _options(self, wanted: ImportContacts | PreviewImport) -> Options:
        return Options(wanted.encoding, wanted.delimiter, wanted.columns, self._kinds)

    async def run(self) -> None:
        """Carry out imports for ever, those first that a crash interrupted; of several planners one does it."""
        while True:
            self._wake.clear()
            if await self.under_way():
                async with alone(self._engine, "imports") as ours:
                    while ours and (upload := await self.under_way()):
                        await self.carry_out(upload)
                await self._freshen()
            with contextlib.suppress(TimeoutError):  # who has the right may have died: look again
                async with asyncio.timeout(_LOOK_S):
                    await self._wake.wait()

    async def _freshen(self) -> None:
        """Have rules see the new contacts before anybody asks, unless there is another import."""
        try:
            while await search.freshen(self._engine, _LOOK_S) and not await self.under_way():
                pass
        except SQLAlchemyError as error:  # who asks rules calls it, too, and so does housekeeping
            logger.warning("what rules look at is not fresh: %s", error)

    async def under_way(self) -> str | None:
        """Return an import that is not at its end, of whichever planner."""
        async with self._reading.connect() as conn:
            return await conn.scalar(select(IMPORTS.c.upload).where(IMPORTS.c.state.in_(UNDER_WAY)).limit(1))

    async def carry_out(self, upload: str) -> None:
        """Import one upload from where it stands to its end."""
        async with self._reading.connect() as conn:
            row = await _row(conn, upload)
        if row is None or row.state not in UNDER_WAY:
            return
        with self._directory.later():
            if row.state == "running" and not await self._read(upload, row):
                return
            await self._finish(upload)

    async def _read(self, upload: str, row: SqlRow[Any]) -> bool:
        wanted = ImportContacts.model_validate_json(row.wanted)
        try:
            fetched = self._fetched(wanted.upload, wanted.parts)
            pepper, domains = self._keys.pepper, self._providers.domains
            async with parsed(fetched, self._options(wanted), pepper, domains, skip=row.rows) as blocks:
                ours = await self._take_all(row, blocks)
        except (CsvError, MissingError) as error:  # it cannot be read on: say where, keep what is in
            await self._fail(upload, error)
            return False
        except ParserEndedError as error:
            await self._died(upload, error)
            return False
        if not ours:
            logger.warning("another planner carries the import out, too", extra={"upload": upload})
            return False
        await self._mark(upload, {"state": "ending"})
        return True

    async def _take_all(self, row: SqlRow[Any], blocks: AsyncIterator[Block]) -> bool:
        """Take blocks in, some at a time; False where another planner took the same ones."""
        done = row.rows
        async with aclosing(_ahead(self._slices(blocks))) as slices:
            async for each in slices:
                if not await self._take(row, each, done):
                    return False
                done += each.rows
        return True

    async def _slices(self, blocks: AsyncIterator[Block]) -> AsyncGenerator["_Slice"]:
        """Yield what shall be taken in at once; what can be read of a broken file comes before its error."""
        held = _Slice()
        try:
            async for block in blocks:
                held.add(block)
                if held.rows >= self._size:
                    yield held
                    held = _Slice()
        except CsvError:
            if held.rows:
                yield held
            raise
        if held.rows:
            yield held

    async def _fetched(self, upload: str, parts: int) -> AsyncIterator[bytes]:
        for part in range(parts):
            yield await self._inbox.get(subjects.upload_part(upload, part))

    def _parts(self, upload: str, numbers: Iterable[int]) -> Iterator[bytes]:
        """Yield the parts to a parsing thread, each fetched by the loop this was called on."""
        loop = asyncio.get_running_loop()

        def fetch() -> Iterator[bytes]:
            for part in numbers:
                subject = subjects.upload_part(upload, part)
                yield asyncio.run_coroutine_threadsafe(self._inbox.get(subject), loop).result(_PART_S)

        return fetch()

    async def _take(self, row: SqlRow[Any], held: "_Slice", done: int) -> bool:
        """Take one slice in; False where the import is not where we left it."""
        upload, bad = row.upload, held.bad
        async with self._engine.begin() as conn:
            began = time.perf_counter()
            taken = await contacts.upsert(conn, held.good)
            if held.claims:
                await contacts.mark_pages_of(conn, await claims.put_rows(conn, held.claims, taken.contacts))
            await lists.add_members(conn, row.list, taken.known.values(), taken.new.values())
            counted = {"of": upload, "done": done, "taken": held.rows, "bad": len(bad), "new": taken.added}
            counted |= {"changed": taken.updated, "same": taken.unchanged}
            if not (await conn.execute(_GO_ON, counted)).rowcount:
                await conn.rollback()
                return False
            if bad:
                rejected = [{"upload": upload, **reject._asdict()} for reject in bad]
                await conn.execute(insert(conn, REJECTED).on_conflict_do_nothing(), rejected)
        self._size = next_size(held.rows, time.perf_counter() - began)
        step("import.batch")
        return True

    async def _died(self, upload: str, error: ParserEndedError) -> None:
        """Let the file be tried again behind what is in; give up on one at which the parsing process dies each time."""
        self._deaths[upload] += 1
        logger.warning("import: %s", error, extra={"upload": upload, "deaths": self._deaths[upload]})
        if self._deaths[upload] < _TRIES:
            await asyncio.sleep(_LOOK_S)
            return
        async with self._reading.connect() as conn:
            row = await _row(conn, upload)
        rows = row.rows if row is not None else 0
        await self._fail(upload, CsvError("unreadable", f"cannot be read on behind its first {rows} rows", 0))

    async def _fail(self, upload: str, error: CsvError | MissingError) -> None:
        problem = {"code": "upload_missing", "message": "A part of the upload is gone.", "field": "", "line": 0}
        if isinstance(error, CsvError):
            problem = {"code": error.code, "message": str(error), "field": error.column, "line": error.line}
        logger.warning("import failed: %s", problem["code"], extra={"upload": upload})
        await self._mark(upload, {"state": "failed", "problem": orjson.dumps(problem).decode()})

    async def _mark(self, upload: str, values: dict[str, Any]) -> None:
        async with self._engine.begin() as conn:
            await conn.execute(update(IMPORTS).where(IMPORTS.c.upload == upload).values(values))

    async def _finish(self, upload: str) -> None:
        async with self._reading.connect() as conn:
            row = await _row(conn, upload)
        if row is None:
            return
        event = ContactsImported(
            list=row.list,
            upload=upload,
            added=row.added,
            updated=row.updated,
            unchanged=row.unchanged,
            rejected=row.rejected,
        )
        part = subjects.partition(hashlib.sha256(row.list.encode()).hexdigest())
        origin = Origin(derived_id("import", upload), "planner", clock.now(), principal=row.principal)
        step("import.recorded")
        position = await self._log.append_journal(subjects.audience(part), [event], origin=origin)
        step("import.announced")
        for place in range(ImportContacts.model_validate_json(row.wanted).parts):
            await self._inbox.erase(subjects.upload_part(upload, place))
        await self._mark(upload, {"state": "done", "position": position})
        logger.info("import done", extra={"upload": upload, "rows": row.rows})


@dataclass(slots=True)
class _Slice:
    """The rows of one transaction."""

    rows: int = 0
    good: list[Incoming] = field(default_factory=list)
    bad: list[Reject] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)

    def add(self, block: Block) -> None:
        self.rows += block.rows
        self.good += block.good
        self.bad += block.bad
        self.claims += block.claims


async def _ahead(slices: AsyncGenerator[_Slice]) -> AsyncGenerator[_Slice]:
    """Yield the slices; while one is taken in, the next one is read."""
    coming = asyncio.ensure_future(anext(slices, None))
    try:
        while (each := await coming) is not None:
            coming = asyncio.ensure_future(anext(slices, None))
            yield each
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)


def next_size(rows: int, seconds: float) -> int:
    """Return how many rows the next slice shall have, after one of `rows` took its transaction `seconds`."""
    return min(SLICE, max(BLOCK, min(int(rows * _AIM_S / max(seconds, 0.001)), rows * 2)))


def _accepted(known: SqlRow[Any] | None, wanted: ImportContacts) -> dict[str, Any] | Refusal:
    if known is None or orjson.loads(known.wanted) != wanted.model_dump(mode="json"):
        return Refusal(code="upload_used", message="This upload was imported otherwise.", field="upload")
    return {"upload": wanted.upload, "list": known.list}


async def _row(conn: AsyncConnection, upload: str) -> SqlRow[Any] | None:
    return (await conn.execute(select(IMPORTS).where(IMPORTS.c.upload == upload))).one_or_none()


def _while_there(parts: Iterator[bytes]) -> Iterator[bytes]:
    with contextlib.suppress(MissingError):  # the part after the last one
        yield from parts


async def status(conn: AsyncConnection, upload: str) -> dict[str, Any] | None:
    """Return how far an import is, None where there is none."""
    row = await _row(conn, upload)
    if row is None:
        return None
    counts = {name: getattr(row, name) for name in ("rows", "added", "updated", "unchanged", "rejected")}
    problem = orjson.loads(row.problem) if row.problem else None
    state = "running" if row.state in UNDER_WAY else row.state
    return {"state": state, "list": row.list, **counts, "problem": problem, "position": row.position}


async def rejected(conn: AsyncConnection, upload: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Return rejected rows after line `after`."""
    c = REJECTED.c
    line = min(int(after), _LAST_LINE) if after.isdecimal() else 0
    rows = await conn.execute(
        select(c.line, c.column, c.reason, c.value)
        .where((c.upload == upload) & (c.line > line))
        .order_by(c.line)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]
