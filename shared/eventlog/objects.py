"""Large immutable things in an object store, named by their hash: frozen audiences, contents, attachments.

The layout is the one of all NATS clients. An object exists from the moment its metadata are stored, after its chunks: a
put that dies leaves nothing but chunks nobody sees. What is read is checked against the digest.
"""

import asyncio
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import orjson
from nats.aio.client import Client

from shared.clock import now
from shared.eventlog.ack_publisher import Ack, AckPublisher, PublishRefusedError
from shared.eventlog.errors import EventLogError, MissingError
from shared.eventlog.reader import Reader
from shared.eventlog.scan import scan
from shared.ids import new_id

CHUNK = 128 * 1024
_AT_ONCE = 16
_PAUSE = 0.05


def _chunks(source: bytes | Path) -> Iterator[bytes]:
    if isinstance(source, bytes):
        for start in range(0, len(source), CHUNK):
            yield source[start : start + CHUNK]
        return
    with source.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


class Objects:
    """The object store `bucket`."""

    def __init__(self, nc: Client, bucket: str) -> None:
        self._bucket = bucket
        self._publisher = AckPublisher.of(nc)
        self._reader = Reader(nc, f"OBJ_{bucket}")

    def _meta_subject(self, name: str) -> str:
        return f"$O.{self._bucket}.M.{urlsafe_b64encode(name.encode()).decode()}"

    def _chunk_subject(self, part: str) -> str:
        return f"$O.{self._bucket}.C.{part}"

    async def put(self, name: str, source: bytes | Path) -> None:
        """Store `source` under `name`; nothing is done where the name exists, for a name stands for its content."""
        if await self.exists(name):
            return
        part = new_id(22)
        kept = False
        try:
            meta = await self._put_chunks(name, part, source)
            kept = await self._publish_meta(name, meta)
        finally:
            if not kept:  # somebody else put it at the same time, or it failed: nobody knows of our chunks
                await self._reader.api("STREAM.PURGE", {"filter": self._chunk_subject(part)})

    async def _publish_meta(self, name: str, meta: dict[str, Any]) -> bool:
        """Make the object exist; return whether it is ours that exists."""
        while True:
            expected = str(await self._deleted_at(name))
            headers = {"Nats-Rollup": "sub", "Nats-Expected-Last-Subject-Sequence": expected}
            try:
                await self._publisher.confirmed(self._meta_subject(name), orjson.dumps(meta), headers)
            except PublishRefusedError as error:
                if not error.wrong_sequence:
                    raise
            else:
                return True
            stored = await self._meta(name)
            if stored is not None:
                return bool(stored["nuid"] == meta["nuid"])
            await asyncio.sleep(_PAUSE)  # somebody else's is still in flight: look again

    async def _put_chunks(self, name: str, part: str, source: bytes | Path) -> dict[str, Any]:
        digest, size = hashlib.sha256(), 0
        subject = self._chunk_subject(part)
        flying: list[asyncio.Task[Ack]] = []
        try:
            for chunk in _chunks(source):
                digest.update(chunk)
                size += len(chunk)
                headers = {"Nats-Msg-Id": f"{part}.{len(flying)}"}  # a chunk whose ack was lost is not stored twice
                flying.append(asyncio.create_task(self._publisher.confirmed(subject, chunk, headers)))
                if len(flying) > _AT_ONCE:
                    await flying[-_AT_ONCE]
            places = [ack.seq for ack in await asyncio.gather(*flying)]
        finally:
            for task in flying:
                task.cancel()
        if places != sorted(places):  # one was tried again and came after its successors
            raise EventLogError(f"{subject}: its pieces were stored in disorder")
        return {
            "name": name,
            "options": {"max_chunk_size": CHUNK},
            "bucket": self._bucket,
            "nuid": part,
            "size": size,
            "mtime": now().isoformat().replace("+00:00", "Z"),
            "chunks": len(places),
            "digest": "SHA-256=" + urlsafe_b64encode(digest.digest()).decode(),
        }

    async def _meta(self, name: str) -> dict[str, Any] | None:
        stored = await self._reader.last(self._meta_subject(name))
        meta = orjson.loads(stored.data) if stored else None
        return None if meta is None or meta.get("deleted") else meta

    async def _deleted_at(self, name: str) -> int:
        """Return the sequence of the marker a deleted object leaves, 0 where there was none."""
        stored = await self._reader.last(self._meta_subject(name))
        return stored.seq if stored and orjson.loads(stored.data).get("deleted") else 0

    async def exists(self, name: str) -> bool:
        """Return whether there is an object of that name."""
        return await self._meta(name) is not None

    async def get(self, name: str) -> bytes:
        """Return the whole object; `MissingError` if there is none."""
        return b"".join([chunk async for chunk in self.open(name)])

    async def open(self, name: str) -> AsyncIterator[bytes]:
        """Yield the object in pieces.

        Raises:
            MissingError: There is none of that name.
            EventLogError: At the end: what is stored is not what was put.
        """
        meta = await self._meta(name)
        if meta is None:
            raise MissingError(f"{self._bucket}: no object {name}")
        digest = hashlib.sha256()
        subject = self._chunk_subject(meta["nuid"])
        last = await self._reader.last(subject)
        async for batch in scan(self._reader, [subject], start=1, stop=last.seq if last else 0, batch=_AT_ONCE):
            for stored in batch:
                digest.update(stored.data)
                yield stored.data
        if "SHA-256=" + urlsafe_b64encode(digest.digest()).decode() != meta["digest"]:
            raise EventLogError(f"{self._bucket}/{name}: what is stored does not match its digest")
