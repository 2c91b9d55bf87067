"""Is this still the log that was seen before? What a service remembers of it, and what it finds out at a look.

A log that was restored from a backup is shorter than it was, or counts on with other events: its sequences are used
again. So whoever may send remembers the log's incarnation and the last event it saw, and compares before it goes on. A
restored log has the name of its backup until an operator confirms it (`LogContinued`); who remembers a name that the
confirmation supersedes takes the new one over (G13).
"""

from dataclasses import asdict, dataclass
from typing import Any

from shared.contracts import subjects
from shared.contracts.log import LogContinued
from shared.eventlog.store import EventLog
from shared.eventlog.tail import first_id


@dataclass(frozen=True, slots=True)
class Memory:
    """What somebody remembers of a log: its incarnation, the last sequence seen there, and which event began there."""

    incarnation: str
    seq: int = 0
    event_id: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Identity:
    """Which log this is.

    Attributes:
        incarnation: Its name.
        stream: The id in the metadata of the stream.
        supersedes: Names it had before.
        restored: What it was restored from, while nobody has confirmed that; "" else.
        last_seq: Where it ends.
    """

    incarnation: str
    stream: str
    supersedes: frozenset[str]
    restored: str
    last_seq: int


async def identify(log: EventLog) -> Identity:
    """Say which log this is."""
    info = await log.reader.api("STREAM.INFO")
    metadata = info["config"].get("metadata") or {}
    stream = str(metadata.get(subjects.INCARNATION, ""))
    events = [record.event for commit in await log.load(subjects.LOG) for record in commit.events]
    named = [event for event in events if isinstance(event, LogContinued)]
    confirmed = bool(named) and named[-1].stream == stream
    return Identity(
        incarnation=named[-1].incarnation if confirmed else stream,
        stream=stream,
        supersedes=frozenset(name for event in named for name in event.supersedes) if confirmed else frozenset(),
        restored="" if confirmed else str(metadata.get(subjects.RESTORED_FROM, "")),
        last_seq=int(info["state"]["last_seq"]),
    )


async def remember(log: EventLog) -> Memory:
    """Return what there is to remember of the log as it is now."""
    identity = await identify(log)
    stored = await log.reader.at(identity.last_seq)
    return Memory(identity.incarnation, identity.last_seq, first_id(stored.data) if stored else "")


async def judge(log: EventLog, identity: Identity, memory: Memory | None) -> str:
    """Return why the log is not the one in `memory`, "" where it is, or nothing is remembered."""
    if identity.restored:
        return f"the log was restored from {identity.restored}"
    if memory is None or memory.incarnation in identity.supersedes:
        return ""
    if memory.incarnation != identity.incarnation:
        return f"this is the log {identity.incarnation}, not {memory.incarnation}"
    if identity.last_seq < memory.seq:
        return f"the log ends at seq {identity.last_seq}, it was at {memory.seq} before"
    if memory.seq and memory.event_id:
        stored = await log.reader.at(memory.seq)
        found = first_id(stored.data) if stored else "nothing"
        if found != memory.event_id:
            return f"seq {memory.seq} of the log holds {found}, it held {memory.event_id} before"
    return ""
