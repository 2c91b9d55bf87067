"""Timers kept by the server: a schedule on `timer.>` publishes its `due.>` subject at its time, never before.

A timer alone is exact to milliseconds; of several close together the later ones may come a quarter of a second late.
There is one timer for each subject, arming it again replaces it; one whose time is past fires at once. Timers survive
crashes of everything. They are hints all the same: whoever needs one derives it from the log again from time to time. A
timer carries no message id, or arming it again within two minutes would be swallowed as a duplicate.
"""

from datetime import UTC, datetime

from nats.aio.client import Client

from shared.contracts.subjects import TIMERS
from shared.eventlog.ack_publisher import AckPublisher
from shared.eventlog.reader import Reader

FIRED_TTL = "168h"
"""How long a message that fired is kept. The server takes seconds and Go durations, which know no days."""


class Timers:
    """Arms, fires and disarms."""

    def __init__(self, nc: Client, *, stream: str = TIMERS) -> None:
        self._publisher = AckPublisher.of(nc)
        self._reader = Reader(nc, stream)

    async def arm(self, subject: str, target: str, at: datetime, body: bytes = b"") -> None:
        """Have `target` published with `body` at `at`; replaces what was armed on `subject`."""
        stamp = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        headers = {
            "Nats-Schedule": f"@at {stamp}",
            "Nats-Schedule-Target": target,
            "Nats-Schedule-TTL": FIRED_TTL,
        }
        await self._publisher.confirmed(subject, body, headers)

    async def fire(self, target: str, body: bytes = b"") -> None:
        """Publish `target` now."""
        await self._publisher.confirmed(target, body, {"Nats-TTL": FIRED_TTL})

    async def disarm(self, subject: str) -> None:
        """Forget what is armed on `subject`; it may be firing at this moment."""
        await self._reader.api("STREAM.PURGE", {"filter": subject})
