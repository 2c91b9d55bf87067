"""The counts of mailings, folded from their chunks' events. Pure.

What a mailing counts is the sum over its chunks, and a chunk's part follows from its bytes (`outcomes`): each chunk is
counted before and after a batch and its mailing changes by the difference. So no order of claims, retries, decisions
and signs of life can make the sum drift.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

from services.reporting.mailing import HANDLED, Mailing, evolve, millis
from shared.contracts import outcomes
from shared.contracts.campaign import CampaignClosed, CampaignDeleted, CampaignEdited, CampaignOpened, CampaignSettings
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import DomainEvent, EventRecord
from shared.contracts.feedback import EVENTS as FEEDBACK
from shared.contracts.feedback import sign_of
from shared.contracts.mailing import DoubtDecided, TestSent
from shared.contracts.ranges import unpack
from shared.contracts.sending import SINGLE, ChunkFinished, ChunkParked, ChunkPlanned, RecipientsSettled

SUMMED = (*outcomes.NAMES[1:], "evidence", "chunks_finished", "parked")
"""The columns of a mailing that are sums over its chunks, in the order of `Chunk.numbers`."""

Key = tuple[str, int]


@dataclass(slots=True)
class Chunk:
    """A chunk as stored."""

    states: bytearray
    finished: int = 0
    parked: str = ""
    version: str = ""

    def numbers(self) -> list[int]:
        """Return its part of the sums."""
        counts = outcomes.tally(self.states)[1:]
        return [*counts, outcomes.by_evidence(self.states), self.finished, int(bool(self.parked))]


@dataclass
class Counts:
    """The rows that a batch touches: loaded before, changed by `add`, written back after `sum_up`."""

    mailings: dict[str, Mailing] = field(default_factory=dict)
    chunks: dict[Key, Chunk] = field(default_factory=dict)
    campaigns: dict[str, tuple[object, ...]] = field(default_factory=dict)
    changed: dict[str, dict[str, object]] = field(default_factory=dict)
    _before: dict[Key, list[int]] = field(default_factory=dict)

    def loaded(self, key: Key, chunk: Chunk) -> None:
        """Take a stored chunk in, remembering its part of the sums."""
        self.chunks[key] = chunk
        self._before[key] = chunk.numbers()

    def add(self, record: EventRecord) -> None:
        """Take one event in; `ValueError` when it speaks of a chunk that was never planned."""
        step = _STEPS.get(type(record.event))
        if step is not None:
            step(self, record, record.event)

    def sum_up(self) -> None:
        """Bring what changed in the chunks into the sums of their mailings."""
        for key, chunk in self.chunks.items():
            before, after = self._before[key], chunk.numbers()
            if before == after:
                continue
            row = self.mailings[key[0]]
            for name, old, new in zip(SUMMED, before, after, strict=True):
                setattr(row, name, getattr(row, name) + new - old)
            self._before[key] = after

    def mailing(self, mailing: str) -> Mailing:
        """Return the row of a mailing, a new one where there is none."""
        row = self.mailings.get(mailing)
        if row is None:
            row = self.mailings[mailing] = Mailing(mailing)
        return row

    def chunk(self, record: EventRecord, mailing: str, n: int) -> Chunk:
        """Return the row of a planned chunk."""
        chunk = self.chunks.get((mailing, n))
        if chunk is None:
            where = f"{record.event.TYPE} at seq {record.seq} on {record.subject}"
            raise ValueError(f"{where}: chunk {n} of mailing {mailing} was never planned")
        return chunk


def chunk_of(subject: str) -> Key:
    """Return mailing and number of a chunk from the subject of its events."""
    _, _, mailing, n = subject.split(".")
    return mailing, int(n)


def entity_of(subject: str) -> str:
    """Return the id at the end of a mailing's or campaign's subject."""
    return subject.rpartition(".")[2]


def _of_mailing(counts: Counts, record: EventRecord, _event: DomainEvent) -> None:
    evolve(counts.mailing(entity_of(record.subject)), record)


def _test_sent(counts: Counts, record: EventRecord, event: TestSent) -> None:
    counts.mailing(event.test).test_of = entity_of(record.subject)


def _planned(counts: Counts, _record: EventRecord, event: ChunkPlanned) -> None:
    row = counts.mailing(event.mailing)
    if event.kind in SINGLE:
        row.status = "Sending"
    row.planned += len(event.contacts)
    row.chunks_planned += 1
    counts.loaded((event.mailing, event.n), Chunk(bytearray(len(event.contacts)), version=event.version))


def _settled(counts: Counts, record: EventRecord, event: RecipientsSettled) -> None:
    mailing, n = chunk_of(record.subject)
    chunk = counts.chunk(record, mailing, n)
    chunk.parked = ""
    if any(group.outcome in ("released", "deferred") for group in event.groups):
        chunk.finished = 0  # a decision has some sent again
    for group in event.groups:
        outcomes.settle(chunk.states, unpack(group.indexes), group.outcome)
        if group.outcome == "accepted":
            base = event.base or millis(record.time) or 0
            first, last = (base + min(group.at), base + max(group.at)) if group.at else (base, base)
            row = counts.mailings[mailing]
            row.first_sent = first if row.first_sent is None else min(row.first_sent, first)
            row.last_sent = last if row.last_sent is None else max(row.last_sent, last)


def _parked(counts: Counts, record: EventRecord, event: ChunkParked) -> None:
    counts.chunk(record, *chunk_of(record.subject)).parked = event.reason or "parked"


def _finished(counts: Counts, record: EventRecord, _event: ChunkFinished) -> None:
    mailing, n = chunk_of(record.subject)
    chunk = counts.chunk(record, mailing, n)
    chunk.finished, chunk.parked = 1, ""
    row = counts.mailing(mailing)
    if row.test_of:  # a test is one chunk, and has no events of its own that would say so
        row.status, row.finished_at = "Completed", millis(record.time)


def _doubt_decided(counts: Counts, record: EventRecord, event: DoubtDecided) -> None:
    chunk = counts.chunk(record, entity_of(record.subject), event.n)
    outcomes.decide(chunk.states, unpack(event.indexes), event.decision)


def _sign(counts: Counts, mailing: str, n: int, index: int) -> None:
    # A chunk that is not loaded has nobody whose outcome a sign of life could change.
    chunk = counts.chunks.get((mailing, n))
    if chunk is not None:
        outcomes.evidence(chunk.states, index)


def _hits(counts: Counts, _record: EventRecord, event: HitsRecorded) -> None:
    for hit in event.hits:
        _sign(counts, hit.mailing, hit.n, hit.index)


def _opted_out(counts: Counts, _record: EventRecord, event: OptedOut) -> None:
    if event.n is not None and event.index is not None:
        _sign(counts, event.mailing, event.n, event.index)


def _came_back(counts: Counts, _record: EventRecord, event: Any) -> None:  # noqa: ANN401 - one of four events
    if sign_of(event):
        _sign(counts, event.mailing, event.n, event.index)


def _opened(counts: Counts, record: EventRecord, event: CampaignOpened) -> None:
    campaign, lists = entity_of(record.subject), orjson.dumps(event.lists).decode()
    dates = (str(event.starts_on or ""), str(event.ends_on or ""))
    settings = (campaign, event.name, event.kind, lists, *dates)
    told = (int(event.approval), _mapping(event), _json(event.utm))
    counts.campaigns[campaign] = (*settings, "open", millis(record.time), *told)


def _json(utm: dict[str, str]) -> str:
    return orjson.dumps(utm).decode() if utm else ""


def _edited(counts: Counts, record: EventRecord, event: CampaignEdited) -> None:
    dates = {"starts_on": str(event.starts_on or ""), "ends_on": str(event.ends_on or "")}
    lists = orjson.dumps(event.lists).decode()
    named = {"name": event.name, "kind": event.kind, "lists": lists}
    more = {"approval": int(event.approval), "statuses": _mapping(event), "utm": _json(event.utm)}
    _changed(counts, record, {**named, **dates, **more})


def _mapping(event: CampaignSettings) -> str:
    return orjson.dumps(event.statuses, option=orjson.OPT_SORT_KEYS).decode()


def _closed(counts: Counts, record: EventRecord, _event: CampaignClosed) -> None:
    _changed(counts, record, {"status": "closed"})


def _deleted(counts: Counts, record: EventRecord, _event: CampaignDeleted) -> None:
    _changed(counts, record, {"status": "deleted"})


def _changed(counts: Counts, record: EventRecord, values: dict[str, object]) -> None:
    counts.changed.setdefault(entity_of(record.subject), {}).update(values)


_STEPS: dict[type[DomainEvent], Callable[[Counts, EventRecord, Any], None]] = {
    **dict.fromkeys(HANDLED, _of_mailing),
    CampaignOpened: _opened,
    CampaignEdited: _edited,
    CampaignClosed: _closed,
    CampaignDeleted: _deleted,
    TestSent: _test_sent,
    ChunkPlanned: _planned,
    RecipientsSettled: _settled,
    ChunkParked: _parked,
    ChunkFinished: _finished,
    DoubtDecided: _doubt_decided,
    HitsRecorded: _hits,
    OptedOut: _opted_out,
    **dict.fromkeys(FEEDBACK, _came_back),
}

COUNTED: frozenset[str] = frozenset(event.TYPE for event in _STEPS)
