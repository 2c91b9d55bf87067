"""Names, addresses and verifiers of principals in the bucket PRINCIPALS, each version under a key of its own.

A record is written before the event that names it, so no event points to nothing; whose event was refused, or whose
successor was appended, is overwritten on disk at once. What a crash in between left behind is overwritten by `sweep`.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from shared import clock
from shared.contracts import subjects
from shared.contracts.principal import Standing
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.eventlog.reader import Reader
from shared.messaging.principals import Record

_UNDER_WAY = timedelta(minutes=10)
_BATCH = 100

Standings = Callable[[], Awaitable[Mapping[str, Standing]]]


class Records:
    """The records of all principals."""

    def __init__(self, documents: Documents, reader: Reader) -> None:
        self._documents = documents
        self._reader = reader

    async def put(self, who: str, name: str, record: Record) -> Record:
        """Store a record under a new name; return what is stored, which is what was stored first under it."""
        stored = await self._documents.put_once(subjects.principal_record(who, name), record.model_dump_json().encode())
        return Record.model_validate_json(stored)

    async def get(self, who: str, name: str) -> Record | None:
        """Return a record, None where it was erased."""
        try:
            return Record.model_validate_json(await self._documents.get(subjects.principal_record(who, name)))
        except MissingError:  # as the caller has to expect
            return None

    async def erase(self, who: str, name: str = "*") -> None:
        """Overwrite one record of a principal, or all."""
        await self._documents.erase(subjects.principal_record(who, name))

    async def sweep(self, standings: Standings, *, under_way: timedelta = _UNDER_WAY) -> int:
        """Overwrite what no principal points to and nobody is writing at the moment; return how many."""
        swept, seq = 0, 0
        old = clock.now() - under_way
        while found := await self._reader.batch(subjects.principal_record("*", "*"), seq + 1, _BATCH):
            held = await standings()
            for stored in found:
                seq = stored.seq
                who, name = stored.subject.split(".")[-2:]
                standing = held.get(who, Standing())
                if stored.recorded_at < old and not (standing.active and standing.record == name):
                    await self.erase(who, name)
                    swept += 1
        return swept
