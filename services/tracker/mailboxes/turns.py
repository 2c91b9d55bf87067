"""Who reads a mailbox, and how far it was read: one key a mailbox in MAILBOXES, changed by compare-and-set alone.

Who reads is its `holder`, and each page that was read renews that; where the key stands still for `lease` seconds, by
the clock of who looks on, the holder is gone and the next one takes its place. A holder that was overtaken loses its
next write and stops. Both reading for a moment would do no harm: what a mail says counts once.
"""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from services.tracker.mailboxes import metrics
from shared.contracts.mailbox import MailboxSettings, Reading
from shared.ids import derived_id


class Bucket(Protocol):
    """What is needed of a key-value bucket."""

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return value and revision."""

    async def swap(self, key: str, value: bytes, revision: int) -> int | None:
        """Write if the revision still holds; None when it does not."""


class OvertakenError(Exception):
    """Another tracker reads the mailbox now."""


@dataclass(slots=True)
class Turn:
    """The right to read a mailbox. `reading` is what its key says."""

    bucket: Bucket
    mailbox: str
    reading: Reading
    revision: int

    async def keep(self, **changes: object) -> None:
        """Write what changed, which also says that we are alive.

        Raises:
            OvertakenError: It is no longer our turn.
        """
        reading = self.reading.model_copy(update=changes)
        revision = await self.bucket.swap(self.mailbox, reading.model_dump_json().encode(), self.revision)
        if revision is None:
            raise OvertakenError(self.mailbox)
        self.reading, self.revision = reading, revision
        metrics.stands(self.mailbox, reading.state)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted now: how the mailbox shall be read, and whether at once.

    Attributes:
        seen: Sequence of its last event.
        at_once: Whether somebody asked for it just now.
    """

    settings: MailboxSettings
    seen: int
    at_once: bool = False


class Turns:
    """Takes turns at one mailbox for the tracker `worker`."""

    def __init__(self, bucket: Bucket, mailbox: str, worker: str, lease: float) -> None:
        self._bucket = bucket
        self._mailbox = mailbox
        self._worker = worker
        self._lease = lease
        self._watched = (0, 0.0)

    async def take(self, wish: Wish, now: float) -> Turn | float:
        """Return the turn, or after how many seconds it is worth asking again."""
        kept = await self._bucket.get(self._mailbox)
        reading, revision = (Reading(), 0) if kept is None else (Reading.model_validate_json(kept[0]), kept[1])
        metrics.stands(self._mailbox, reading.state)
        wait = self._wait(reading, revision, wish, now)
        if wait > 0:
            return wait
        turn = Turn(self._bucket, self._mailbox, reading, revision)
        of = fingerprint(wish.settings)
        places = reading.places if reading.of == of else {}
        try:
            await turn.keep(holder=self._worker, of=of, places=places, state="reading")
        except OvertakenError:  # another one was quicker
            return self._lease / 2
        return turn

    def _wait(self, reading: Reading, revision: int, wish: Wish, now: float) -> float:
        if reading.holder not in {"", self._worker}:
            moment = asyncio.get_running_loop().time()
            if self._watched[0] != revision:
                self._watched = (revision, moment)
            return max(0.0, self._watched[1] + self._lease - moment)
        if reading.holder == self._worker or reading.of != fingerprint(wish.settings):
            return 0.0
        if reading.state == "paused" and reading.seen >= wish.seen:
            return float(wish.settings.interval)
        if wish.at_once or reading.state == "paused":
            return 0.0
        due = reading.retry_at if reading.state == "failing" else reading.read_at + wish.settings.interval
        return min(max(0.0, due - now), float(wish.settings.interval))


def fingerprint(settings: MailboxSettings) -> str:
    """Return what the places belong to: in another mailbox, or from another day on, they mean nothing."""
    since = settings.since.isoformat() if settings.since else ""
    return derived_id("mailbox", settings.host.lower(), str(settings.port), settings.username, since)
