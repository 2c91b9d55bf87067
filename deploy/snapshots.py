"""One stream to a file and back, by the snapshot API of JetStream: consistent in itself, while it is being written to.

The server sends the stream in chunks, each acknowledged before the next ones come, and ends with an empty one. Putting
it back creates the stream anew: it must not be there. Consumers are not part of it; `deploy.apply` makes them.
"""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

CHUNK = 128 * 1024
PIECE = 8 * 1024
"""What is sent at once when a stream is put back: the server stores each message anew, and gives up on a piece after
five seconds; with an fsync for each message it takes a thousand of them in that time."""
_PATIENCE = 30.0

Progress = Callable[[int], None]
"""Told how many bytes came or went."""


class SnapshotError(RuntimeError):
    """A stream could not be read or put back; the message names it and says what the server said."""


async def _api(nc: Client, question: str, body: dict[str, Any]) -> dict[str, Any]:
    try:
        raw = await nc.request(f"$JS.API.{question}", json.dumps(body).encode(), timeout=_PATIENCE)
    except NatsError as error:
        raise SnapshotError(f"{question}: no answer from the server ({error or type(error).__name__})") from error
    answer: dict[str, Any] = json.loads(raw.data)
    if "error" in answer:
        raise SnapshotError(f"{question}: {answer['error'].get('description')} ({answer['error'].get('err_code')})")
    return answer


async def save(nc: Client, stream: str, target: Path, progress: Progress) -> dict[str, Any]:
    """Write the stream to `target`; return its config and state.

    Raises:
        SnapshotError: The server refused, or stopped in the middle.
    """
    chunks: asyncio.Queue[Msg] = asyncio.Queue()
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox, cb=chunks.put)
    try:
        answer = await _api(
            nc, f"STREAM.SNAPSHOT.{stream}", {"deliver_subject": inbox, "no_consumers": True, "chunk_size": CHUNK}
        )
        with target.open("wb") as file:
            while True:
                try:
                    chunk = await asyncio.wait_for(chunks.get(), _PATIENCE)
                except TimeoutError as error:
                    raise SnapshotError(f"{stream}: the server stopped sending its snapshot") from error
                if not chunk.data:
                    _ended_well(stream, chunk)
                    break
                file.write(chunk.data)
                if chunk.reply:
                    await nc.publish(chunk.reply)
                progress(len(chunk.data))
    finally:
        await subscription.unsubscribe()
    return {"config": answer["config"], "state": answer["state"]}


def _ended_well(stream: str, last: Msg) -> None:
    status = (last.headers or {}).get("Status", "")
    if status and status != "204":
        raise SnapshotError(f"{stream}: {status} {(last.headers or {}).get('Description', '')}")


async def put_back(nc: Client, stream: str, source: Path, saved: dict[str, Any], progress: Progress) -> None:
    """Create the stream from `source` with the config and state that `save` returned.

    Raises:
        SnapshotError: It exists already, or the server refused.
    """
    answer = await _api(nc, f"STREAM.RESTORE.{stream}", {"config": saved["config"], "state": saved["state"]})
    subject = str(answer["deliver_subject"])
    with source.open("rb") as file:
        while chunk := file.read(PIECE):
            reply = await _send(nc, stream, subject, chunk)
            if reply:
                raise SnapshotError(f"{stream}: {reply.decode(errors='replace')}")
            progress(len(chunk))
    done = json.loads(await _send(nc, stream, subject, b"") or b"{}")
    if "error" in done:
        raise SnapshotError(f"{stream}: {done['error'].get('description')} ({done['error'].get('err_code')})")


async def _send(nc: Client, stream: str, subject: str, chunk: bytes) -> bytes:
    try:
        return bytes((await nc.request(subject, chunk, timeout=_PATIENCE)).data)
    except NatsError as error:
        raise SnapshotError(f"{stream}: the server took no more of it ({error or type(error).__name__})") from error


async def mark_restored(nc: Client, stream: str, metadata: dict[str, str]) -> None:
    """Add to the metadata of a stream."""
    config = (await _api(nc, f"STREAM.INFO.{stream}", {}))["config"]
    config["metadata"] = (config.get("metadata") or {}) | metadata
    await _api(nc, f"STREAM.UPDATE.{stream}", config)
