"""Small shared values with compare-and-set: a key-value bucket of JetStream, in its usual layout.

Reads come from the leader. A swap either made the change or is reported as lost; where its own ack was lost and another
value stands there already, it is reported as lost too, so nobody takes for granted what may not be.
"""

from nats.aio.client import Client
from nats.errors import Error as NatsError

from shared.eventlog.ack_publisher import AckPublisher, PublishRefusedError
from shared.eventlog.errors import UnavailableError
from shared.eventlog.inbox import Inbox
from shared.eventlog.reader import Reader, Stored
from shared.ids import new_id

_PATIENCE = 5.0
_MARKERS = ("KV-Operation", "Nats-Marker-Reason")


def _is_marker(stored: Stored) -> bool:
    """Whether it says that the key was deleted."""
    return any(name in stored.headers for name in _MARKERS)


class Bucket:
    """The bucket `name`."""

    def __init__(self, nc: Client, name: str) -> None:
        self._inbox = Inbox.of(nc)
        self._stream = f"KV_{name}"
        self._publisher = AckPublisher.of(nc)
        self._reader = Reader(nc, self._stream)
        self._prefix = f"$KV.{name}."

    async def get(self, key: str) -> tuple[bytes, int] | None:
        """Return value and revision, None where the key is not set."""
        stored = await self._reader.last(self._prefix + key)
        return None if stored is None or _is_marker(stored) else (stored.data, stored.seq)

    async def glance(self, key: str) -> bytes | None:
        """Return the value as any replica has it, None where it has none; needs the right to this key alone.

        Raises:
            UnavailableError: No answer.
        """
        question = f"$JS.API.DIRECT.GET.{self._stream}.{self._prefix}{key}"
        try:
            found = await self._inbox.ask(question, seconds=_PATIENCE)
        except (NatsError, TimeoutError) as error:
            raise UnavailableError(f"{question}: {error}") from error
        headers = found.headers or {}
        return None if headers.get("Status") or any(name in headers for name in _MARKERS) else bytes(found.data)

    async def put(self, key: str, value: bytes) -> int:
        """Set the key whatever it is; return the revision."""
        ack = await self._publisher.confirmed(self._prefix + key, value, {"Nats-Msg-Id": new_id(16)})
        return ack.seq

    async def swap(self, key: str, value: bytes, revision: int) -> int | None:
        """Set the key if its revision is still `revision` (0: if it is not set); return the new one, None if lost."""
        subject = self._prefix + key
        write = new_id(16)
        while True:
            headers = {"Nats-Msg-Id": write, "Nats-Expected-Last-Subject-Sequence": str(revision)}
            try:
                return (await self._publisher.confirmed(subject, value, headers)).seq
            except PublishRefusedError as error:
                if not error.wrong_sequence:
                    raise
            stored = await self._reader.last(subject)
            if stored is not None and stored.headers.get("Nats-Msg-Id") == write:
                return stored.seq  # ours, whose ack was lost
            if revision == 0 and stored is not None and _is_marker(stored):
                revision = stored.seq  # deleted counts as not set: set it over the marker
                continue
            return None
