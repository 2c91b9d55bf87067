"""Planning a chunk: its payload to PAYLOADS, then its ChunkPlanned to the log; from there the server makes the job.

In goes the number of a frozen chunk; contacts are read at this moment, one that is gone leaves a blank row. The payload
is put once: where one stands already, from a planner that died in between, it is used as it is, and the digests are
taken over what is stored. ChunkPlanned is appended with expected sequence 0, so planning twice is planning once (G1).
"""

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import bindparam, select
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.accounts.domain import folded
from services.planner.audience.frozen_rows import ROWS
from services.planner.contacts.contacts import CONTACTS
from services.planner.content.freezing import uses
from services.planner.mailings.mailing import Mailing
from services.planner.planning.fan_out import Piece
from shared import clock, tracing
from shared.addresses import domain
from shared.bulk import fetch
from shared.contracts import subjects
from shared.contracts.content import Content, encode_rows
from shared.contracts.envelope import Origin
from shared.contracts.mailing import MailingDrafted
from shared.contracts.sending import PAYLOAD_DIGEST_BYTES, SINGLE, ChunkKind, ChunkPlanned
from shared.database import reading
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError, WrongVersionError
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog
from shared.ids import derived_id
from shared.keys import KeyRing
from shared.steps import step

LARGEST_PAYLOAD = 512 * 1024
AT_ONCE = 3  # more would need more connections than the pool keeps
_CONTENTS = 32


class PayloadError(ValueError):
    """A chunk cannot be planned until somebody mends its cause."""


class CacheError(Exception):
    """The cached audience is not whole: it is being made anew, or was damaged. The mailing is driven again later."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that shapes one chunk beside its recipients (see ChunkPlanned), who asked, and when planning it began."""

    mailing: str
    n: int
    account: str
    lane: str
    kind: ChunkKind
    checked: int
    draft: MailingDrafted
    expires_at: datetime | None = None
    zone: str = ""
    insisted: bool = False
    by: str = ""
    version: str = ""
    began: int = field(default_factory=tracing.begin)


def by_itself(mail: str, kind: ChunkKind, account: str, content: str, checked: int) -> Plan:
    """Return the plan of what goes out by itself, in no mailing: one chunk in the prompt lane, not tracked."""
    draft = MailingDrafted(campaign=kind, name=kind, account=account, content=content, subject="", tracking="off")
    return Plan(mail, 0, account, subjects.PROMPT, kind, checked, draft)


@dataclass(frozen=True, slots=True)
class Used:
    """What a template uses: merge fields in order, and the domain it is sent from."""

    fields: tuple[str, ...]
    domain: str


class Planning:
    """Plans chunks."""

    def __init__(
        self, engine: AsyncEngine, log: EventLog, payloads: Documents, contents: Objects, keys: KeyRing
    ) -> None:
        self._reading = reading(engine)
        self._log = log
        self._payloads = payloads
        self._contents = contents
        self._keys = keys
        self._used: dict[str, Used] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def used(self, content: str) -> Used:
        """Return what the template in CONTENT under this hash uses."""
        if content not in self._used:
            frozen = Content.model_validate_json(await self._contents.get(content))
            if len(self._used) >= _CONTENTS:
                self._used.clear()
            self._used[content] = Used(tuple(sorted(uses(frozen))), domain(frozen.sender_address))
        return self._used[content]

    async def plan_chunk(self, mailing: str, state: Mailing, audience: int, piece: Piece) -> int:
        """Plan one chunk of a frozen audience; return the sequence of its plan, 0 where it was planned before.

        Raises:
            PayloadError: Its payload is too large, or another one than this audience asks for stands in its place.
            CacheError: The rows at hand are not all of the chunk.
        """
        if state.draft is None or state.audience is None:
            raise PayloadError(f"mailing {mailing} has no frozen audience")
        deadline = state.schedule.deadline if state.schedule else None
        checked = state.audience.position
        zone = (piece.zone or state.schedule.zone) if state.schedule and state.draft.recipient_time else ""
        account = state.draft.account
        contents = list(state.contents(piece.version).values())
        if len(contents) != 1:
            raise PayloadError(f"no version was chosen that chunk {piece.n} of mailing {mailing} is to get")
        draft = state.draft.model_copy(update={"content": contents[0]})
        plan = Plan(
            *(mailing, piece.n, account, piece.lane, "campaign", checked, draft, deadline, zone), version=piece.version
        )
        async with self._slots:
            contacts, rows = await self.rows(mailing, contents, audience, piece)
            if state.pinned:
                rows = await self._pinned(state.pinned, mailing, piece.n, rows)
            step("plan.read")
            seq = await self.append(plan, contacts, await self.put(mailing, piece.n, rows))
            if state.pinned:
                await self.erase(state.pinned, piece.n)
            return seq

    async def rows(
        self, mailing: str, contents: Iterable[str], audience: int, piece: Piece
    ) -> tuple[list[str], list[dict[str, Any]]]:
        """Return contacts and payload rows of a chunk of a frozen audience as they are now, for any of `contents`.

        Raises:
            CacheError: The rows at hand are not all of the chunk.
        """
        fields = sorted({field for content in contents for field in (await self.used(content)).fields})
        async with self._reading.connect() as conn:
            contacts, rows = await _rows(conn, audience, piece, fields)
        if len(contacts) != piece.size:  # never plan less than was frozen: nobody would miss the rest
            found = f"{len(contacts)} of {piece.size} recipients"
            raise CacheError(f"the audience in SQL holds {found} of chunk {piece.n} of mailing {mailing}")
        return contacts, rows

    async def _pinned(self, run: str, mailing: str, n: int, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the rows as a dry run saw them, less those of people who are gone since.

        Raises:
            PayloadError: They are gone.
        """
        for kept in (run, mailing):  # a planner may have died between planning the chunk and erasing what was kept
            try:
                seen = [orjson.loads(line) for line in (await self.stored(kept, n)).split(b"\n")]
            except MissingError:
                continue
            return [now if not now["contact"] else row for row, now in zip(seen, rows, strict=True)]
        raise PayloadError(f"what was approved of chunk {n} of mailing {mailing} is gone: run it dry again")

    async def erase(self, mailing: str, n: int) -> None:
        """Erase the payload of a chunk that no plan points to."""
        await self._payloads.erase(subjects.payload(mailing, n))

    async def put(self, mailing: str, n: int, rows: list[dict[str, Any]], *, most: int = LARGEST_PAYLOAD) -> bytes:
        """Store the payload of a chunk, of `most` bytes, and return what is stored.

        Raises:
            PayloadError: It is too large.
        """
        stored = await self._payloads.put_once(subjects.payload(mailing, n), packed(mailing, n, rows, most))
        step("plan.payload")
        return stored

    async def stored(self, mailing: str, n: int) -> bytes:
        """Return the payload of a chunk."""
        return await self._payloads.get(subjects.payload(mailing, n))

    async def append(self, plan: Plan, contacts: Sequence[str], payload: bytes) -> int:
        """Append the plan of a chunk whose payload is stored; return its sequence, 0 where it was planned before.

        Raises:
            PayloadError: The payload holds another number of recipients.
        """
        lines = payload.split(b"\n")
        if len(lines) != len(contacts):
            raise PayloadError(f"the payload of chunk {plan.n} of mailing {plan.mailing} has {len(lines)} rows")
        digests = b"".join(hashlib.sha256(line).digest()[:PAYLOAD_DIGEST_BYTES] for line in lines)
        draft = plan.draft
        signing = folded(await self._log.load(subjects.domain((await self.used(draft.content)).domain)))
        planned = ChunkPlanned(
            mailing=plan.mailing,
            n=plan.n,
            account=plan.account,
            lane=plan.lane,
            kind=plan.kind,
            contacts=list(contacts),
            digests=b64encode(digests).decode(),
            checked=plan.checked,
            content=draft.content,
            doubt=draft.doubt,
            tracking=draft.tracking,
            token_key=self._keys.active,
            selectors=signing.selectors,
            expires_at=plan.expires_at,
            retry_for=draft.retry_for,
            insisted=plan.insisted,
            zone=plan.zone,
            version=plan.version,
            copied=draft.copied and plan.kind == "campaign",
        )
        command = derived_id("plan", plan.mailing, str(plan.n), length=20)
        origin = Origin(command, "planner", clock.now(), correlation_id=plan.mailing, principal=plan.by)
        subject = subjects.plan(plan.mailing, plan.account, plan.lane, plan.n)
        try:
            seq = await self._log.append(subject, [planned], expected=0, origin=origin)
        except WrongVersionError:  # planned before, by whoever it was: the facts have it, or will
            seq = 0
        step("plan.appended")
        _trace(plan, len(contacts), seq)
        return seq


def packed(mailing: str, n: int, rows: list[dict[str, Any]], most: int = LARGEST_PAYLOAD) -> bytes:
    """Return the payload of a chunk.

    Raises:
        PayloadError: It is too large.
    """
    payload, _ = encode_rows(rows)
    if len(payload) > most:
        raise PayloadError(f"the payload of chunk {n} of mailing {mailing} takes {len(payload)} bytes")
    return payload


def _trace(plan: Plan, recipients: int, seq: int) -> None:
    """Record the planning of a chunk, below which all work on it hangs; a test mail's stands for itself."""
    place = tracing.piece(plan.mailing, "chunk", plan.n)
    parent = None if plan.kind in SINGLE else tracing.whole(plan.mailing)
    what: dict[str, tracing.Value] = {
        "account": plan.account,
        "lane": plan.lane,
        "n": plan.n,
        "recipients": recipients,
        "seq": seq,
    }
    if seq:
        tracing.record("plan chunk", plan.began, place, kind="producer", parent=parent, what=what)


async def _rows(
    conn: AsyncConnection, audience: int, piece: Piece, fields: Sequence[str]
) -> tuple[list[str], list[dict[str, Any]]]:
    found = await fetch(conn, _rows_sql(conn.dialect), (audience, piece.n))
    contacts: list[str] = []
    rows: list[dict[str, Any]] = []
    for contact, lists, address, name, key, known, provider in found:
        contacts.append(contact)
        if address is None:  # erased since the audience was frozen
            rows.append({"contact": ""})
            continue
        row = payload_row(contact, (address, name, key), lists.split(","), _used(known, fields))
        rows.append(row | {"provider": provider} if provider and piece.lane == subjects.REST else row)
    return contacts, rows


@lru_cache(2)
def _rows_sql(dialect: Dialect) -> str:
    """Return the query for the recipients of a chunk, by its audience and number."""
    r, c = ROWS.c, CONTACTS.c
    wanted = (r.audience == bindparam("audience", type_=r.audience.type)) & (r.n == bindparam("n", type_=r.n.type))
    columns = (r.contact, r.lists, c.address, c.name, c.address_key, c.fields, c.provider)
    query = select(*columns).outerjoin(CONTACTS, c.id == r.contact).where(wanted).order_by(r.idx)
    return str(query.compile(dialect=dialect))


def _used(known: str, fields: Sequence[str]) -> dict[str, str]:
    if not fields:
        return {}
    values = orjson.loads(known)
    return {field: values[field] for field in fields if field in values}


def payload_row(
    contact: str, person: tuple[str, str, str], lists: Sequence[str], fields: dict[str, str]
) -> dict[str, Any]:
    """Return one row of a payload; `person` is address, name and address key."""
    address, name, key = person
    return {
        "contact": contact,
        "address": address,
        "name": name,
        "address_key": key,
        "lists": list(lists),
        "fields": fields,
    }
