"""Parked messages handed back: a job that failed again and again gets a new hint, a producer's message is read again.

The pointer is deleted only after that was done, so a crash between does it once more, which changes nothing. What a
producer sent is personal: it is erased with its pointer.
"""

import orjson

from services.planner.idempotency import Act
from services.planner.intake import producers
from services.planner.parts import Parts
from shared.contracts import subjects
from shared.contracts.commands import Answer, Redrive, Refusal
from shared.contracts.sending import ChunkPlanned
from shared.contracts.subjects import ChunkRef
from shared.eventlog.reader import Reader
from shared.eventlog.timers import Timers


async def redrive(parts: Parts, wanted: Redrive, _act: Act) -> Answer | Refusal:
    """Hand back what the pointer names, or drop it; then delete the pointer."""
    parked = Reader(parts.log.nc, subjects.PARKED)
    stored = await parked.at(wanted.seq)
    if stored is None:
        return Refusal(code="not_parked", message=f"No message is parked under {wanted.seq}.", field="seq")
    pointer = orjson.loads(stored.data)
    told = stored.subject == subjects.parked("planner", producers.ROLE)
    refusal = await (_told if told else _job)(parts, wanted, pointer)
    if refusal is not None:
        return refusal
    await parked.api("STREAM.MSG.DELETE", {"seq": wanted.seq, "no_erase": True})
    return Answer(ok=True, data={"seq": wanted.seq, "dropped": wanted.drop})


async def _told(parts: Parts, wanted: Redrive, pointer: dict[str, object]) -> Refusal | None:
    seq = int(str(pointer["seq"]))
    if wanted.drop:
        await parts.intake.erase(seq)
        return None
    problem = await parts.intake.again(seq)
    if problem is None:
        return None
    return Refusal(code="cannot_redrive", message=f"{problem}. Have it sent again, then drop the pointer.", field="seq")


async def _job(parts: Parts, wanted: Redrive, pointer: dict[str, object]) -> Refusal | None:
    if wanted.drop:
        return None
    chunk = await _chunk(parts, pointer)
    if chunk is None:
        where = f"{pointer.get('stream')} {pointer.get('seq')}"
        return Refusal(code="cannot_redrive", message=f"{where} is no planned chunk: drop the pointer.", field="seq")
    await Timers(parts.log.nc).fire(chunk.due_retry)
    return None


async def _chunk(parts: Parts, pointer: dict[str, object]) -> ChunkRef | None:
    seq = pointer.get("seq")
    if pointer.get("stream") != subjects.EVENTS or not isinstance(seq, int):
        return None
    commit = await parts.log.get(seq)
    if commit is None or not isinstance(commit.events[0].event, ChunkPlanned):
        return None
    return ChunkRef.of_plan(commit.subject)
