"""Documents outside the log, one for each subject: personal data that the log only points to, and that can be erased.

Erasing overwrites the bytes in the server's files, which neither a purge nor a limit does; replacing erases what was
there before. A crash in between leaves an old version that the next `replace` or `erase` of the subject removes. The
stream must not limit the messages of a subject, or the server drops old versions itself and leaves them readable. In a
cluster the Raft log holds a copy for about three minutes more (measured), until its next snapshot (G11, decision 0010).
"""

import asyncio

from nats.aio.client import Client

from shared.eventlog.ack_publisher import AckPublisher, PublishRefusedError
from shared.eventlog.errors import MissingError, WrongVersionError
from shared.eventlog.reader import ApiError, Reader

_PAUSE = 0.05
_ATTEMPTS = 8


class Documents:
    """The documents in `stream`."""

    def __init__(self, nc: Client, stream: str) -> None:
        self._publisher = AckPublisher.of(nc)
        self._reader = Reader(nc, stream)

    async def put_once(self, subject: str, data: bytes) -> bytes:
        """Store `data` if there is nothing yet; return what is stored now, which the first writer decided."""
        while True:
            try:
                await self._publisher.confirmed(subject, data, _expecting(0))
            except PublishRefusedError as error:
                if not error.wrong_sequence:
                    raise
            else:
                return data
            stored = await self._reader.last(subject)
            if stored is not None:
                return stored.data
            await asyncio.sleep(_PAUSE)  # erased between the two, or still in flight: try again

    async def replace(self, subject: str, data: bytes) -> None:
        """Store `data` in place of what is there, and erase that.

        Raises:
            WrongVersionError: Others replaced it at the same time, again and again.
        """
        for _ in range(_ATTEMPTS):
            before = await self._reader.last(subject)
            expected = before.seq if before else 0
            try:
                ack = await self._publisher.confirmed(subject, data, _expecting(expected))
            except PublishRefusedError as error:
                if not error.wrong_sequence:
                    raise
                now = await self._reader.last(subject)
                if now is None or now.seq == expected or now.data != data:
                    await asyncio.sleep(_PAUSE)  # somebody else replaced it: look again
                    continue
                kept = now.seq  # ours, whose ack was lost
            else:
                kept = ack.seq
            await self._erase_before(subject, kept)
            return
        raise WrongVersionError(subject, expected, 0)

    async def get(self, subject: str) -> bytes:
        """Return the document, from whichever replica is asked first; `MissingError` if there is none (any more)."""
        stored = await self._reader.glance(subject) or await self._reader.last(subject)
        if stored is None:
            raise MissingError(f"{subject}: no such document")
        return stored.data

    async def erase(self, subject: str) -> None:
        """Overwrite the document and all its versions in the server's files; nothing to do where there is none."""
        while (stored := await self._reader.last(subject)) is not None:
            await self._overwrite(stored.seq)

    async def _erase_before(self, subject: str, seq: int) -> None:
        while (stored := await self._reader.next(subject, 1)) is not None and stored.seq < seq:
            await self._overwrite(stored.seq)

    async def _overwrite(self, seq: int) -> None:
        try:
            await self._reader.api("STREAM.MSG.DELETE", {"seq": seq, "no_erase": False})
        except ApiError:
            if await self._reader.at(seq) is not None:  # else somebody else erased it, or an earlier request of ours
                raise


def _expecting(seq: int) -> dict[str, str]:
    return {"Nats-Expected-Last-Subject-Sequence": str(seq)}
