"""Dry runs as rows: how far each is, and chunk by chunk what was found. The last one of a mailing is kept.

What a dry run found in all is an event of its mailing (DryRunFinished); these rows are what it is looked at by, and
what a crash goes on from. A recipient's cause is what the sender would record; nothing here is personal.
"""

import hashlib
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    delete,
    select,
    tuple_,
    update,
)
from sqlalchemy import Row as SqlRow
from sqlalchemy.ext.asyncio import AsyncConnection

from services.planner.audience.frozen_rows import AUDIENCES, ROWS
from services.planner.contacts.contacts import CONTACTS
from services.planner.schema import METADATA, insert
from shared.contracts.commands import Rehearsed
from shared.contracts.sending import MAIL_DIGEST_BYTES

DRY_RUNS = Table(
    "dry_runs",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("run", String(24), nullable=False),
    Column("object", String(64), nullable=False),
    Column("content", String(64), nullable=False),
    Column("kept", Boolean, nullable=False),
    Column("state", String(10), nullable=False, index=True),
    Column("principal", Text, nullable=False),
    Column("date", BigInteger, nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("done", Integer, nullable=False),
    Column("mails", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("causes", Text, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("largest", Integer, nullable=False),
    Column("largest_n", Integer, nullable=False),
    Column("largest_idx", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("problem", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
    Column("old", Text, nullable=False),
)
"""`old`: runs before this one whose payloads are still to be erased, with how many chunks they had."""
FOUND = Table(
    "dry_run_chunks",
    METADATA,
    Column("mailing", String(24), primary_key=True),
    Column("n", Integer, primary_key=True),
    Column("digests", LargeBinary, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("causes", Text, nullable=False),
)
"""`digests`: 8 bytes a recipient, zeros where the mail cannot be made; `causes` by index."""

_MISSING = "render: missing field "
_PAGE = 200
_FEW = 20
NOBODY = {"contact": "", "address": "", "name": ""}
_START: Mapping[str, Any] = {
    "state": "running",
    "done": 0,
    "mails": 0,
    "failed": 0,
    "causes": "{}",
    "bytes": 0,
    "largest": 0,
    "largest_n": 0,
    "largest_idx": 0,
    "digest": "",
    "problem": "",
    "position": 0,
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of one chunk."""

    n: int
    digests: bytes
    sizes: list[int]
    causes: dict[int, str]


def merged(n: int, came: Mapping[str, Rehearsed]) -> Seen:
    """Return what came of a chunk that may get any of these versions: each mail has to be possible.

    The digest of a recipient is then one over the digests of all versions, the size that of the largest.
    """
    if len(came) == 1:
        (one,) = came.values()
        return Seen(n, b64decode(one.digests), one.sizes, one.causes)
    digests = [b64decode(each.digests) for each in came.values()]
    sizes = [max(some) for some in zip(*(each.sizes for each in came.values()), strict=True)]
    causes: dict[int, str] = {}
    for letter, each in came.items():
        causes = {index: f"{cause} (version {letter})" for index, cause in each.causes.items()} | causes
    whole: list[bytes] = []
    for index in range(len(sizes)):
        parts = b"".join(each[index * MAIL_DIGEST_BYTES :][:MAIL_DIGEST_BYTES] for each in digests)
        whole.append(
            bytes(MAIL_DIGEST_BYTES) if index in causes else hashlib.sha256(parts).digest()[:MAIL_DIGEST_BYTES]
        )
    return Seen(n, b"".join(whole), [0 if index in causes else size for index, size in enumerate(sizes)], causes)


async def of(conn: AsyncConnection, mailing: str) -> SqlRow[Any] | None:
    """Return the last dry run of a mailing."""
    return (await conn.execute(select(DRY_RUNS).where(DRY_RUNS.c.mailing == mailing))).one_or_none()


async def begin(conn: AsyncConnection, wanted: Mapping[str, Any]) -> None:
    """Begin a dry run in place of the last one of its mailing."""
    before = await of(conn, wanted["mailing"])
    old = [] if before is None else orjson.loads(before.old)
    if before is not None and before.kept and before.run != wanted["run"]:
        old.append([before.run, before.chunks])
    row = {**_START, **wanted, "old": orjson.dumps(old).decode()}
    put = insert(conn, DRY_RUNS).values(row)
    changed = {name: put.excluded[name] for name in row if name != "mailing"}
    await conn.execute(delete(FOUND).where(FOUND.c.mailing == wanted["mailing"]))
    await conn.execute(put.on_conflict_do_update(index_elements=["mailing"], set_=changed))


async def add(conn: AsyncConnection, row: SqlRow[Any], seen: Seen) -> bool:
    """Take in what came of the next chunk; False where the run is not where we left it."""
    c = DRY_RUNS.c
    causes = Counter[str](orjson.loads(row.causes)) + Counter(seen.causes.values())
    changed: dict[str, Any] = {
        "done": seen.n + 1,
        "mails": row.mails + len(seen.sizes) - len(seen.causes),
        "failed": row.failed + len(seen.causes),
        "causes": orjson.dumps(causes).decode(),
        "bytes": row.bytes + sum(seen.sizes),
        "problem": "",
    }
    largest = max(range(len(seen.sizes)), key=seen.sizes.__getitem__, default=0)
    if seen.sizes and seen.sizes[largest] > row.largest:
        changed |= {"largest": seen.sizes[largest], "largest_n": seen.n, "largest_idx": largest}
    here = (c.mailing == row.mailing) & (c.run == row.run) & (c.done == seen.n) & (c.state == "running")
    if not (await conn.execute(update(DRY_RUNS).where(here).values(changed))).rowcount:
        return False
    found = {"mailing": row.mailing, "n": seen.n, "digests": seen.digests, "failed": len(seen.causes)}
    found["causes"] = orjson.dumps(seen.causes, option=orjson.OPT_NON_STR_KEYS).decode()
    await conn.execute(FOUND.insert().values(found))
    return True


async def mark(conn: AsyncConnection, row: SqlRow[Any], **values: object) -> bool:
    """Change a run that is still going on; False where it is not."""
    c = DRY_RUNS.c
    here = (c.mailing == row.mailing) & (c.run == row.run) & (c.state == "running")
    return bool((await conn.execute(update(DRY_RUNS).where(here).values(values))).rowcount)


async def digest_of_all(conn: AsyncConnection, mailing: str) -> str:
    """Return the digest over the mails of all chunks."""
    whole, f, n = hashlib.sha256(), FOUND.c, -1
    while rows := (
        await conn.execute(select(f.n, f.digests).where(f.mailing == mailing, f.n > n).order_by(f.n).limit(_PAGE))
    ).all():
        for row in rows:
            whole.update(row.digests)
        n = rows[-1].n
    return whole.hexdigest()


def missing(causes: Mapping[str, int]) -> dict[str, int]:
    """Return for each field that keeps mails from being made how many lack it."""
    found = Counter[str]()
    for cause, many in causes.items():
        if cause.startswith(_MISSING):
            found[cause.removeprefix(_MISSING).partition(" ")[0]] += many
    return dict(sorted(found.items()))


async def page(
    conn: AsyncConnection, row: SqlRow[Any], after: str, limit: int, *, failed: bool
) -> list[dict[str, Any]]:
    """Return recipients behind the place `after` (`n:index`), with their digests or causes."""
    f, (n, index) = FOUND.c, place(after)
    found: list[dict[str, Any]] = []
    some = [f.mailing == row.mailing, *([f.failed > 0] if failed else [])]
    while len(found) < limit:
        chunks = (await conn.execute(select(FOUND).where(*some, f.n >= n).order_by(f.n).limit(_FEW))).all()
        for chunk in chunks:
            found += _of_chunk(chunk, index if chunk.n == n else -1, failed=failed)
        if len(chunks) < _FEW:
            break
        n, index = chunks[-1].n + 1, -1
    people = await _people(conn, row, found[:limit])
    return [each | people.get((each["n"], each["index"]), NOBODY) for each in found[:limit]]


def place(after: str) -> tuple[int, int]:
    """Return a place of a cursor, the one before the first where it is ""."""
    n, _, index = after.partition(":")
    return int(n or 0), int(index or -1)


def _of_chunk(chunk: SqlRow[Any], behind: int, *, failed: bool) -> list[dict[str, Any]]:
    causes = {int(key): cause for key, cause in orjson.loads(chunk.causes).items()}
    places = sorted(causes) if failed else range(len(chunk.digests) // MAIL_DIGEST_BYTES)
    found: list[dict[str, Any]] = []
    for index in places:
        digest, cause = chunk.digests[index * MAIL_DIGEST_BYTES :][:MAIL_DIGEST_BYTES], causes.get(index, "")
        if index > behind:
            found.append({"n": chunk.n, "index": index, "digest": "" if cause else digest.hex(), "cause": cause})
    return found


async def who(conn: AsyncConnection, row: SqlRow[Any], n: int, index: int) -> str:
    """Return the contact at one place, "" where it is not at hand."""
    people = await _people(conn, row, [{"n": n, "index": index}])
    return str(people.get((n, index), NOBODY)["contact"])


async def _people(
    conn: AsyncConnection, row: SqlRow[Any], places: list[dict[str, Any]]
) -> dict[tuple[int, int], dict[str, str]]:
    a, r, c = AUDIENCES.c, ROWS.c, CONTACTS.c
    people: dict[tuple[int, int], dict[str, str]] = {}
    query = (
        select(r.n, r.idx, r.contact, c.address, c.name)
        .join(AUDIENCES, a.id == r.audience)
        .outerjoin(CONTACTS, c.id == r.contact)
        .where((a.mailing == row.mailing) & (a.object == row.object))
    )
    for start in range(0, len(places), _PAGE):
        wanted = [(each["n"], each["index"]) for each in places[start:][:_PAGE]]
        for each in await conn.execute(query.where(tuple_(r.n, r.idx).in_(wanted))):
            people[each.n, each.idx] = {
                "contact": each.contact,
                "address": each.address or "",
                "name": each.name or "",
            }
    return people
