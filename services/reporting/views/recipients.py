"""Recipients: one row each, made by its chunk's plan and updated by what the senders settle.

Claims write nothing: an attempt is counted where its outcome is settled. Replies that are alike stand once in
`replies`, under a number derived from their text. The column `evidence` keeps the first sign of life (open, click,
opt-out) of every recipient; queries count a recipient in doubt that has one as accepted.
"""

import hashlib
from collections.abc import Sequence
from itertools import repeat
from typing import ClassVar

from sqlalchemy import bindparam, update
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Settle, Upsert
from services.reporting.counts import chunk_of, entity_of
from services.reporting.mailing import millis
from shared.bulk import Row
from shared.contracts import outcomes
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import Commit, EventRecord
from shared.contracts.feedback import EVENTS as FEEDBACK
from shared.contracts.feedback import sign_of
from shared.contracts.mailing import DoubtDecided
from shared.contracts.ranges import unpack
from shared.contracts.sending import ChunkPlanned, Group, RecipientsSettled

_PLAN = Upsert(tables.recipients, ("mailing", "n", "idx", "contact"))
_SETTLE = Settle(
    tables.recipients, sets=("outcome", "cause", "until"), keeps=("reply", "queue_id", "at"), adds=("attempts",)
)
_REPLY = Upsert(tables.replies, ("reply", "host", "code", "enhanced", "text"))
_T = tables.recipients.c
_SAME = (_T.mailing == bindparam("m"), _T.n == bindparam("c"), _T.idx == bindparam("i"))
_SIGN = update(tables.recipients).where(*_SAME, _T.evidence.is_(None)).values(evidence=bindparam("sign"))
_DECIDE = (
    update(tables.recipients)
    .where(*_SAME, _T.outcome == outcomes.IN_DOUBT)
    .values(outcome=bindparam("to"), cause="decided")
)


class RecipientsView:
    """The view, as the projector runs it."""

    name = "recipients"
    version = 1
    tables: ClassVar = [tables.recipients, tables.replies]
    handles = frozenset(
        event.TYPE for event in (ChunkPlanned, RecipientsSettled, DoubtDecided, HitsRecorded, OptedOut, *FEEDBACK)
    )

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Fold the commits into a few statements."""
        batch = _Batch()
        for commit in commits:
            for record in commit.events:
                if isinstance(record.event, DoubtDecided):
                    await batch.write(conn)  # it moves only those in doubt at this point of the log
                    batch = _Batch()
                batch.add(record)
        await batch.write(conn)


def _tried(group: Group) -> bool:
    """Whether it was a delivery attempt; an operator's decision on a doubt is none: no relay spoke."""
    return group.outcome in outcomes.TRIED and bool(group.code or group.outcome in ("deferred", "in_doubt"))


class _Batch:
    """Rows to be written; the order of the groups in `write` gives the same as the order of the log."""

    def __init__(self) -> None:
        self._planned: list[Row] = []
        self._settled: list[Row] = []
        self._replies: dict[int, Row] = {}
        self._decided: list[dict[str, object]] = []
        self._signs: list[dict[str, object]] = []

    def add(self, record: EventRecord) -> None:
        """Take one event in."""
        match record.event:
            case RecipientsSettled() as settled:
                key = chunk_of(record.subject)
                base = settled.base or millis(record.time) or 0
                for group in settled.groups:
                    self._group(key, group, settled.host, base)
            case ChunkPlanned(mailing=mailing, n=n, contacts=contacts):
                self._planned += zip(repeat(mailing), repeat(n), range(len(contacts)), contacts, strict=False)
            case HitsRecorded(hits=hits):
                self._signs += [{"m": h.mailing, "c": h.n, "i": h.index, "sign": h.kind} for h in hits]
            case OptedOut(mailing=mailing, n=int(n), index=int(index)):
                self._signs.append({"m": mailing, "c": n, "i": index, "sign": "opt-out"})
            case _ if isinstance(record.event, FEEDBACK):
                if sign := sign_of(record.event):
                    who = {"m": record.event.mailing, "c": record.event.n, "i": record.event.index}
                    self._signs.append({**who, "sign": sign})
            case DoubtDecided(n=n, indexes=indexes, decision=decision):
                mailing, to = entity_of(record.subject), outcomes.decided(decision)
                self._decided += [{"m": mailing, "c": n, "i": index, "to": to} for index in unpack(indexes)]

    def _group(self, key: tuple[str, int], group: Group, host: str, base: int) -> None:
        indexes = unpack(group.indexes)
        many = len(indexes)
        if len(group.at) not in (0, many) or len(group.queue_ids) not in (0, many):
            raise ValueError(f"chunk {key}: {many} recipients {group.outcome} with times or queue ids of others")
        at = None if group.outcome == "released" else base
        self._settled += zip(
            repeat(outcomes.CODES[group.outcome]),
            repeat(group.cause or None),
            repeat(millis(group.until)),
            repeat(self._reply(host, group)),
            group.queue_ids or repeat(None),
            [base + after for after in group.at] if group.at else repeat(at),
            repeat(1 if _tried(group) else 0),
            repeat(key[0]),
            repeat(key[1]),
            indexes,
            strict=False,  # most of them have no end of their own
        )

    def _reply(self, host: str, group: Group) -> int | None:
        if not group.code and not group.text:
            return None
        row = (host, group.code, group.enhanced, group.text)
        number = int.from_bytes(hashlib.blake2b(repr(row).encode(), digest_size=8).digest()) >> 1
        self._replies[number] = (number, *row)
        return number

    async def write(self, conn: AsyncConnection) -> None:
        """Write all: decisions first, as nothing else was gathered before them."""
        if self._decided:
            await conn.execute(_DECIDE, self._decided)
        await _PLAN.run(conn, self._planned)
        await _REPLY.run(conn, list(self._replies.values()))
        await _SETTLE.run(conn, self._settled)
        if self._signs:
            await conn.execute(_SIGN, self._signs)
