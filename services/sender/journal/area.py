"""One claim inside a journal file: header, a byte a dot, reply records; what is not yet published does not count.

Bytes are written first and the length that covers them last, so a death between leaves the state before. Header and
records carry checksums: what a dying machine left half-written is found out (`CorruptError`).
"""

import mmap
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from zlib import crc32

AREA: Final = 393_216
MAX_CLAIM: Final = 500
"""Recipients a claim can hold: with the longest replies of all of them an area is nearly full."""

_LENGTH: Final = struct.Struct("<I")
_HEADER: Final = struct.Struct("<QQIHH")
_RECORD: Final = struct.Struct("<HIBHQB")
_MAX_TEXT: Final = 600
_MAILING: Final = 64
_PREFIX: Final = _LENGTH.size + 4 + _HEADER.size + _MAILING


class CorruptError(ValueError):
    """The bytes are no journal."""


class Reply(NamedTuple):
    """A relay's word on one mail, text unscrubbed."""

    code: int
    enhanced: str
    text: str
    phase: int
    at_ms: int
    queue_id: str = ""


@dataclass(slots=True)
class Record:
    """What stands in an area."""

    ordinal: int
    mailing: str
    n: int
    seq: int
    indexes: list[int]
    dotted: set[int] = field(default_factory=set)
    replies: dict[int, Reply] = field(default_factory=dict)


class Area:
    """The writing side."""

    __slots__ = ("_dots", "_end", "_map", "_start", "ordinal")

    def __init__(self, mapped: mmap.mmap, start: int) -> None:
        self._map = mapped
        self._start = start
        self._dots = 0
        self._end = 0
        self.ordinal = 0

    @property
    def used(self) -> bool:
        """Whether it holds a claim that is not settled."""
        return bool(_LENGTH.unpack_from(self._map, self._start)[0])

    def names(self, mailing: str, n: int) -> bool:
        """Whether it holds a claim of this chunk."""
        if not self.used:
            return False
        base = self._start + _LENGTH.size + 4
        name = self._map[base + _HEADER.size : base + _HEADER.size + _MAILING].rstrip(b"\0")
        return name == mailing.encode() and _HEADER.unpack_from(self._map, base)[2] == n

    def begin(self, ordinal: int, mailing: str, n: int, seq: int, indexes: Sequence[int]) -> None:
        """Start a claim in place of what was there."""
        name = mailing.encode()
        if len(indexes) > MAX_CLAIM or len(name) > _MAILING:
            raise ValueError(f"a claim of {len(indexes)} recipients of {mailing!r} does not fit a journal")
        self.clear()
        self.ordinal = ordinal
        count = len(indexes)
        header = (
            _HEADER.pack(ordinal, seq, n, count, 0) + name.ljust(_MAILING, b"\0") + struct.pack(f"<{count}I", *indexes)
        )
        self._dots = self._start + _LENGTH.size + 4 + len(header)
        self._end = self._dots + count
        body = _LENGTH.pack(crc32(header)) + header + bytes(count)
        self._map[self._start + _LENGTH.size : self._end] = body
        self._publish()

    def dot(self, place: int) -> None:
        """Mark the mail at `place`."""
        self._map[self._dots + place] = 1

    def reply(self, index: int, code: int, enhanced: str, text: str, phase: int, at_ms: int) -> None:  # noqa: PLR0917 - a record
        """Append a record; `ValueError` when the area is full."""
        words = text.encode("utf-8", "replace")[:_MAX_TEXT]
        status = enhanced.encode()[:16]
        record = _RECORD.pack(len(words), index, phase, code, at_ms, len(status)) + status + words
        record += _LENGTH.pack(crc32(record))
        end = self._end + len(record)
        if end > self._start + AREA:
            raise ValueError("journal area is full")
        self._map[self._end : end] = record
        self._end = end
        self._publish()

    def clear(self) -> None:
        """Settled: nothing in it counts any more."""
        _LENGTH.pack_into(self._map, self._start, 0)
        self.ordinal = 0

    def _publish(self) -> None:
        _LENGTH.pack_into(self._map, self._start, self._end - self._start)


def read(data: bytes, start: int) -> Record | None:
    """Return what stands in the area at `start`, None where nothing does.

    Raises:
        CorruptError: It cannot be trusted.
    """
    length, checksum = struct.unpack_from("<II", data, start)
    if not length:
        return None
    if not _PREFIX <= length <= AREA:
        raise CorruptError(f"impossible length {length}")
    base = start + _LENGTH.size + 4
    ordinal, seq, n, count, _ = _HEADER.unpack_from(data, base)
    dots = base + _HEADER.size + _MAILING + 4 * count
    if dots + count > start + length or crc32(data[base:dots]) != checksum:
        raise CorruptError("broken header")
    mailing = data[base + _HEADER.size : base + _HEADER.size + _MAILING].rstrip(b"\0").decode()
    indexes = list(struct.unpack_from(f"<{count}I", data, base + _HEADER.size + _MAILING))
    record = Record(ordinal, mailing, n, seq, indexes)
    record.dotted = {index for place, index in enumerate(indexes) if data[dots + place]}
    place = dots + count
    while place < start + length:
        place = _read_reply(data, place, start + length, record)
    return record


def _read_reply(data: bytes, place: int, end: int, record: Record) -> int:
    if place + _RECORD.size > end:
        raise CorruptError("broken record")
    size, index, phase, code, at_ms, enhanced = _RECORD.unpack_from(data, place)
    text = place + _RECORD.size + enhanced
    last: int = text + size
    if last + _LENGTH.size > end or _LENGTH.unpack_from(data, last)[0] != crc32(data[place:last]):
        raise CorruptError("broken record")
    status = data[text - enhanced : text].decode()
    record.replies[index] = Reply(code, status, data[text:last].decode("utf-8", "replace"), phase, at_ms)
    return last + _LENGTH.size
