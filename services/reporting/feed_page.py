"""The feed by question and answer: what stands in OUT behind a cursor, which is a sequence of OUT.

Whoever asks reads the feed: the answer waits a while for the relay to be level with the log.
"""

import re
from typing import Any

import orjson

from services.reporting.relay import Relay
from shared.contracts import subjects
from shared.contracts.commands import Answer, FeedEvents, Refusal
from shared.eventlog.reader import Reader

_PATIENCE = 3.0
_LARGEST = 900_000  # bytes of events in one answer, which may have 1 MB

_LOST = Refusal(
    code="cursor_lost",
    message="What follows this cursor is no longer kept, or never was. Begin without one, and compare with queries.",
    field="after",
)


async def events(out: Reader, relay: Relay, wanted: FeedEvents) -> Answer | Refusal:
    """Return the events behind a cursor, as many as fit."""
    if not re.fullmatch(r"[0-9]{0,18}", wanted.after):
        return Refusal(code="invalid", message="Give `cursor` of the answer before, as it came.", field="after")
    await relay.caught_up(_PATIENCE)
    state = (await out.api("STREAM.INFO"))["state"]
    after = int(wanted.after or 0)
    if wanted.after and not state["first_seq"] - 1 <= after <= state["last_seq"]:
        return _LOST
    found = await out.batch(subjects.ALL_OUT, after + 1, wanted.limit)
    told: list[dict[str, Any]] = []
    size = 0
    for stored in found:
        size += len(stored.data)
        if told and size > _LARGEST:
            break
        told.append(orjson.loads(stored.data))
        after = stored.seq
    if not found:
        after = max(after, state["first_seq"] - 1)
    end = after >= state["last_seq"] and relay.level.is_set()
    return Answer(ok=True, data={"events": told, "cursor": str(after), "end": end})
