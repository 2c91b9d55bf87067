"""The recipients of a chunk's payload: read one by one when they are at work, each held against its pinned digest."""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import orjson

from shared.contracts import subjects
from shared.contracts.sending import PAYLOAD_DIGEST_BYTES, ChunkPlanned
from shared.eventlog.documents import Documents

_DIFFERS = "payload differs from its digest"


class Row(NamedTuple):
    """One recipient of the payload: what the composer needs, and why it must not be sent ("" where it may)."""

    data: Mapping[str, Any]
    fault: str = ""

    @property
    def address(self) -> str:
        """Where it goes."""
        return str(self.data.get("address", ""))

    @property
    def address_key(self) -> str:
        """The keyed hash under which consent is kept."""
        return str(self.data.get("address_key", ""))

    @property
    def provider(self) -> str:
        """Whose mailbox it is, "" where the planner did not say."""
        return str(self.data.get("provider", ""))

    @property
    def lists(self) -> Sequence[str]:
        """The lists it was planned for."""
        return list(self.data.get("lists", ()))


class Rows:
    """The recipients of a payload by index, each read and held against its digest when it is first asked for.

    Only those at work are held as objects: what a chunk takes in memory is the bytes of its payload.
    """

    def __init__(self, body: bytes = b"", digests: bytes = b"") -> None:
        self._lines = body.split(b"\n")
        self._digests = digests
        self._read: dict[int, Row] = {}

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Row:
        row = self._read.get(index)
        if row is None:
            start = index * PAYLOAD_DIGEST_BYTES
            row = _row(self._lines[index], self._digests[start : start + PAYLOAD_DIGEST_BYTES])
            self._read[index] = row
        return row

    def drop(self, indexes: Iterable[int]) -> None:
        """Hold these no longer; they can be read again."""
        for index in indexes:
            self._read.pop(index, None)


async def fetch_rows(payloads: Documents, plan: ChunkPlanned) -> Rows:
    """Return the recipients of the payload, each to be checked against the digest that the plan pins.

    Raises:
        MissingError: There is no payload.
        ValueError: It has not as many rows as the plan.
    """
    rows = Rows(await payloads.get(subjects.payload(plan.mailing, plan.n)), b64decode(plan.digests))
    if len(rows) != len(plan.contacts):
        raise ValueError(f"payload has {len(rows)} rows, the plan {len(plan.contacts)}")
    return rows


def _row(line: bytes, digest: bytes) -> Row:
    try:
        row = orjson.loads(line)
        contact = row["contact"]
    except (ValueError, TypeError, KeyError):  # no row: this recipient is skipped, and the reason says why
        return Row({}, _DIFFERS)
    if not contact:
        return Row(row, "erased")
    return Row(row, "" if sha256(line).digest()[: len(digest)] == digest else _DIFFERS)
