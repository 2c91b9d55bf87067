"""Mails put on the wire as a sender does it: connections with journals, windows of 25, one handed over ahead."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from services.sender.journal.journal import Journal
from services.sender.replies.reply import classify
from services.sender.smtp import wire
from services.sender.smtp.connection import Connection
from services.sender.smtp.transport import Relay, connect
from services.sender.smtp.window import Mail, Result

WINDOW = 25


@dataclass
class Fate:
    """What became of the mails.

    Attributes:
        outcomes: How many came to what.
        deferred: To whom it is to be sent again.
        seconds: How long it took, opening of connections not included.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    deferred: list[bytes] = field(default_factory=list)
    seconds: float = 0.0


def free(index: int) -> None:
    """Hold nothing back."""
    del index


async def put(port: int, recipients: Sequence[bytes], message: bytes, connections: int, folder: Path) -> Fate:
    """Send `message` to all `recipients` over so many connections."""
    fate = Fate()
    journals = [Journal.open(folder, f"{time.time_ns()}", slot) for slot in range(connections)]
    stuffed = wire.stuffed(wire.normal(message))
    opened = await asyncio.gather(*(connect(Relay("127.0.0.1", port, "none")) for _ in journals))
    began = time.perf_counter()
    await asyncio.gather(
        *(
            _line(connection, journal, recipients[slot::connections], stuffed, fate)
            for slot, (connection, journal) in enumerate(zip(opened, journals, strict=True))
        )
    )
    fate.seconds = time.perf_counter() - began
    for connection, journal in zip(opened, journals, strict=True):
        await connection.quit()
        journal.close()
    return fate


async def _line(
    connection: Connection, journal: Journal, recipients: Sequence[bytes], message: bytes, fate: Fate
) -> None:
    before: asyncio.Future[list[Result]] | None = None
    for first in range(0, len(recipients), WINDOW):
        window = recipients[first : first + WINDOW]
        indexes = range(first, first + len(window))
        claim = journal.begin("benchmark", 0, first, indexes)
        mails = [Mail(index, b"from@example.com", to, message) for index, to in zip(indexes, window, strict=True)]
        results, before = before, connection.send(mails, free, claim)
        _count(await results if results is not None else [], recipients, fate)
    _count(await before if before is not None else [], recipients, fate)


def _count(results: list[Result], recipients: Sequence[bytes], fate: Fate) -> None:
    for result in results:
        outcome = classify(result.phase, result.code, result.enhanced, result.text).outcome
        fate.outcomes[outcome] += 1
        if outcome == "deferred":
            fate.deferred.append(recipients[result.index])
