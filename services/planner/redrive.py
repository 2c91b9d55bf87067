"""Parked messages handed back: the pointer tells which chunk's job failed again and again; a new hint is published.

The pointer is deleted only after the hint stands in TIMERS, so a crash between costs one more hint.
"""

import orjson

from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared.contracts import subjects
from shared.contracts.commands import Answer, Redrive, Refusal
from shared.contracts.sending import ChunkPlanned
from shared.contracts.subjects import ChunkRef
from shared.eventlog.reader import Reader
from shared.eventlog.timers import Timers


async def redrive(parts: Parts, wanted: Redrive, _act: Act) -> Answer | Refusal:
    """Publish a hint for the chunk that the pointer names, unless it is only to be dropped; then delete the pointer."""
    parked = Reader(parts.log.nc, subjects.PARKED)
    stored = await parked.at(wanted.seq)
    if stored is None:
        return Refusal(code="not_parked", message=f"No message is parked under {wanted.seq}.", field="seq")
    pointer = orjson.loads(stored.data)
    chunk = await _chunk(parts, pointer)
    if chunk is None and not wanted.drop:
        where = f"{pointer.get('stream')} {pointer.get('seq')}"
        return Refusal(code="cannot_redrive", message=f"{where} is no planned chunk: drop the pointer.", field="seq")
    if chunk is not None and not wanted.drop:
        await Timers(parts.log.nc).fire(chunk.due_retry)
    await parked.api("STREAM.MSG.DELETE", {"seq": wanted.seq, "no_erase": True})
    return Answer(ok=True, data={"seq": wanted.seq, "dropped": wanted.drop})


async def _chunk(parts: Parts, pointer: dict[str, object]) -> ChunkRef | None:
    seq = pointer.get("seq")
    if pointer.get("stream") != subjects.EVENTS or not isinstance(seq, int):
        return None
    commit = await parts.log.get(seq)
    if commit is None or not isinstance(commit.events[0].event, ChunkPlanned):
        return None
    return ChunkRef.of_plan(commit.subject)
