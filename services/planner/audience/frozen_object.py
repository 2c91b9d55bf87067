"""The frozen audience as bytes: zlib-compressed JSON lines, named by the SHA-256 of these bytes.

A recipient is `[contact, slot, [list, ...], lane, n, index]` (and its time zone, where one matters; and its version, if
it is of the sample of an A/B test), a contact left out `[contact, slot, [list, ...], null, reason]`; the last line is
`{"end": true, ...}` with the counts, without it the object is not whole. Same rows in the same order give the same
bytes, so freezing again after a crash finds the object already there. Ids only, nothing personal.
"""

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from services.planner.audience.sample import Draw
from services.planner.planning.fan_out import Piece

SLOT = "email"
PAYLOAD_BYTES = 400 * 1024  # of the 512 KiB a payload may have: what changes until it is planned has room
ROW_OVERHEAD = 200
_LEVEL = 3


class AudienceError(ValueError):
    """An object is no whole audience."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """One mail: where it stands and why."""

    contact: str
    lists: list[str]
    lane: str
    n: int
    index: int
    zone: str = ""
    version: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """One contact that gets none."""

    contact: str
    lists: list[str]
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """The counts of an audience."""

    recipients: int
    skipped: dict[str, int]
    chunks: int
    lanes: dict[str, int]


Line = Recipient | Skipped | End


@dataclass(slots=True)
class _Open:
    """The chunk of a lane that still has room."""

    n: int
    size: int = 0
    weight: int = 0


@dataclass(slots=True)
class AudienceWriter:
    """Numbers the recipients and writes the object to `path`.

    Attributes:
        lanes: Lane by provider.
        chunk_size: Most recipients of a chunk.
        zone_of: Time zone by contact, of those that come next; a chunk has recipients of one zone.
        zones: Recipients by time zone.
        slot_of: Which address of its customer a contact is, of those that come next; `SLOT` where nobody says.
        draw: Tells who is of the sample of an A/B test; a chunk has recipients of one version.
        sample: Recipients by version.
    """

    path: Path
    lanes: Mapping[str, str]
    chunk_size: int
    chunks: int = 0
    recipients: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    chunks_of: Counter[str] = field(default_factory=Counter)
    zone_of: Mapping[str, str] = field(default_factory=dict)
    zones: Counter[str] = field(default_factory=Counter)
    slot_of: Mapping[str, str] = field(default_factory=dict)
    draw: Draw | None = None
    sample: Counter[str] = field(default_factory=Counter)
    _open: dict[tuple[str, str, str], _Open] = field(default_factory=dict)
    _zip: "zlib._Compress" = field(default_factory=lambda: zlib.compressobj(_LEVEL))
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, rows: Iterable[tuple[str, list[str], str, int] | Skipped]) -> None:
        """Append recipients (contact, lists, provider, bytes in the payload) and contacts left out."""
        lines: list[bytes] = []
        for row in rows:
            if isinstance(row, Skipped):
                self.skipped[row.reason] += 1
                slot = self.slot_of.get(row.contact, SLOT)
                lines.append(orjson.dumps([row.contact, slot, row.lists, None, row.reason]))
                continue
            contact, names, provider, size = row
            lane = self.lanes.get(provider, self.lanes[""])
            zone = self.zone_of.get(contact, "")
            version = self.draw.version(contact) if self.draw is not None else ""
            chunk = self._room((lane, zone, version), size + ROW_OVERHEAD + 30 * len(names))
            line = [contact, self.slot_of.get(contact, SLOT), names, lane, chunk.n, chunk.size]
            more = [zone, version] if version else [zone] if zone else []
            lines.append(orjson.dumps([*line, *more]))
            chunk.size += 1
            if version:
                self.sample[version] += 1
            self.zones[zone] += 1
            self.recipients += 1
        self._write(b"\n".join(lines) + b"\n" if lines else b"")

    def close(self) -> str:
        """Write the end and return the name of the object."""
        end = {"end": True, "recipients": self.recipients, "skipped": dict(sorted(self.skipped.items()))}
        end |= {"chunks": self.chunks, "lanes": dict(sorted(self.chunks_of.items()))}
        self._write(orjson.dumps(end) + b"\n")
        self._append(self._zip.flush())
        return self._digest.hexdigest()

    def _room(self, of: tuple[str, str, str], weight: int) -> _Open:
        """Return the chunk of a lane, a zone and a version that has room."""
        chunk = self._open.get(of)
        if chunk is None or chunk.size >= self.chunk_size or (chunk.size and chunk.weight + weight > PAYLOAD_BYTES):
            chunk = self._open[of] = _Open(self.chunks)
            self.chunks += 1
            self.chunks_of[of[0]] += 1
        chunk.weight += weight
        return chunk

    def _write(self, data: bytes) -> None:
        self._append(self._zip.compress(data))

    def _append(self, data: bytes) -> None:
        self._digest.update(data)
        with self.path.open("ab") as file:
            file.write(data)


class AudienceReader:
    """Turns the pieces of an object into lines, as they come; `ended` tells whether it was whole."""

    def __init__(self) -> None:
        self._zip = zlib.decompressobj()
        self._rest = b""
        self.ended = False

    def feed(self, piece: bytes) -> Iterator[Line]:
        """Yield the lines that `piece` completes."""
        *lines, self._rest = (self._rest + self._zip.decompress(piece)).split(b"\n")
        for line in lines:
            parsed = _line(orjson.loads(line))
            self.ended = self.ended or isinstance(parsed, End)
            yield parsed


def _line(raw: Any) -> Line:  # noqa: ANN401 - parsed JSON
    try:
        if isinstance(raw, dict):
            return End(raw["recipients"], raw["skipped"], raw["chunks"], raw["lanes"])
        if raw[3] is None:
            return Skipped(raw[0], raw[2], raw[4])
        return Recipient(raw[0], raw[2], *raw[3:8])
    except (TypeError, LookupError) as error:  # whoever fills the cache stops here and says so
        raise AudienceError(f"no line of an audience: {raw!r}") from error


def pieces(recipients: Iterable[Recipient]) -> dict[int, Piece]:
    """Return how many recipients each chunk has in these lines."""
    sizes = Counter((each.n, each.lane, each.zone, each.version) for each in recipients)
    return {n: Piece(n, lane, size, zone, version) for (n, lane, zone, version), size in sizes.items()}
