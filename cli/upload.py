"""A file into INBOX: over HTTP as one stream, or on NATS part by part, each acknowledged, a few under way at a time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING

from nats.aio.client import Client as Connection

from cli.errors import InputError, RefusedError, UnreachableError
from shared.contracts import subjects
from shared.contracts.commands import Refusal
from shared.eventlog.ack_publisher import AckPublisher
from shared.eventlog.errors import EventLogError
from shared.messaging.client import UnansweredError

if TYPE_CHECKING:
    from shared.messaging.http_client import HttpClient

PART = 512 * 1024
_AT_A_TIME = 4
_BUDGET = 60.0


async def upload(connection: Connection, path: Path, upload_id: str, progress: Callable[[int], None]) -> int:
    """Upload the file; `progress` hears the bytes of each acknowledged part. Return the number of parts.

    Raises:
        InputError: The file cannot be read, or is empty.
        UnreachableError: A part was not acknowledged.
    """
    publisher = AckPublisher.of(connection)
    room = asyncio.Semaphore(_AT_A_TIME)
    parts = 0

    async def send(part: int, data: bytes) -> None:
        try:
            headers = {"Nats-Msg-Id": f"{upload_id}.{part}"}
            await publisher.confirmed(subjects.upload_part(upload_id, part), data, headers, budget=_BUDGET)
        finally:
            room.release()
        progress(len(data))

    sending: set[asyncio.Task[None]] = set()
    try:
        with path.open("rb") as file:
            while data := file.read(PART):
                await room.acquire()
                sending.add(asyncio.create_task(send(parts, data)))
                parts += 1
        await asyncio.gather(*sending)
    except OSError as error:
        raise InputError("no_file", f"{path}: {error.strerror}") from error
    except EventLogError as error:
        raise UnreachableError("upload_failed", f"The upload stopped: {error}") from error
    finally:
        for task in sending:
            task.cancel()
    if not parts:
        raise InputError("empty_file", f"{path} is empty")
    return parts


async def over_http(client: "HttpClient", path: Path, progress: Callable[[int], None]) -> tuple[str, int]:
    """Upload the file; return the id of the upload and its parts. Errors as above, and `RefusedError`."""

    async def pieces() -> AsyncIterator[bytes]:
        with path.open("rb") as file:
            while data := file.read(PART):
                yield data
                progress(len(data))

    try:
        done = await client.upload(pieces())
    except OSError as error:
        raise InputError("no_file", f"{path}: {error.strerror}") from error
    except UnansweredError as error:
        raise UnreachableError("upload_failed", f"The upload stopped: {error}") from error
    if isinstance(done, Refusal):
        raise RefusedError(done)
    return done["upload"], done["parts"]
