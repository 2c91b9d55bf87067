"""Evidence of one connection slot for whoever takes over: what was claimed, whose dot was written, what was answered.

A mapped file without fsync: it survives the death of the process, not of the machine. The owner holds a lock on it for
life; only journals whose lock is free are read. After a reboot what was not answered counts as doubtful, since the last
writes may be gone. A file that cannot be read is renamed `.corrupt` and is no evidence. Journals are evidence, never
truth: the log says which claims are open. Thanks to them a death leaves at most one mail a connection in doubt (G7).
Reply texts stand here as they came and go with the file.
"""

import fcntl
import logging
import mmap
import os
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from services.sender.journal.area import AREA, Area, CorruptError, Reply, read
from services.sender.replies.reply import Phase, queue_id
from shared.clock import millis, wall

__all__ = ["Claim", "Evidence", "Journal", "Reply", "forget", "read_evidence", "sweep"]

logger = logging.getLogger(__name__)

_HEAD: Final = struct.Struct("<8s36s")
_MAGIC: Final = b"PHJRNL01"
_START: Final = 4096
_AREAS: Final = 3
"""The half-window whose outcome is being appended, the one on the wire, the one being claimed."""
SIZE: Final = _START + _AREAS * AREA
_ours: Final = set[str]()
"""Names of the journals that this process owns: no need to try their locks."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the journal of a dead owner tells of one claim.

    Attributes:
        seq: As given to `begin`.
        answered: The relay's last word on a mail, by index.
        doubtful: Dots that may be written and have no reply.
        untouched: Nothing of the message was written.
    """

    mailing: str
    n: int
    seq: int
    answered: dict[int, Reply]
    doubtful: frozenset[int]
    untouched: frozenset[int]


class Claim:
    """One claim being sent: the witness handed to `Connection.send`."""

    __slots__ = ("_area", "_places")

    def __init__(self, area: Area, indexes: Sequence[int]) -> None:
        self._area = area
        self._places = {index: place for place, index in enumerate(indexes)}

    def dot(self, index: int) -> None:
        """Note that the message with its final dot goes out next."""
        self._area.dot(self._places[index])

    def reply(self, index: int, code: int, enhanced: str, text: str, phase: int = Phase.DOT) -> None:
        """Note the relay's word; code 0 takes it back."""
        self._area.reply(index, code, enhanced, text, phase, millis())

    def end(self) -> None:
        """Note that the log knows it all: the claim is settled there."""
        self._area.clear()


class Journal:
    """The journal of one slot, owned by this process until `close`."""

    def __init__(self, path: Path, descriptor: int, mapped: mmap.mmap) -> None:
        """Use `open`."""
        self.path = path
        self._descriptor = descriptor
        self._map = mapped
        self._areas = [Area(mapped, _START + place * AREA) for place in range(_AREAS)]
        self._ordinal = 0
        _ours.add(str(path))

    @classmethod
    def open(cls, folder: Path, worker: str, slot: int) -> Self:
        """Create the journal of a slot; `worker` names one life of one process.

        Raises:
            FileExistsError: This slot of this worker has one.
        """
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{worker}-{slot}.journal"
        draft = folder / f"{worker}-{slot}.{os.getpid()}.draft"
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(descriptor, SIZE)
            os.pwrite(descriptor, _HEAD.pack(_MAGIC, _boot_id()), 0)
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.link(draft, path)  # appears whole and locked, and never in the place of another
            return cls(path, descriptor, mmap.mmap(descriptor, SIZE))
        except BaseException:  # the caller hears of it; the file is not ours then
            os.close(descriptor)
            raise
        finally:
            draft.unlink()

    def begin(self, mailing: str, n: int, seq: int, indexes: Sequence[int]) -> Claim:
        """Start a claim; three may be open at once, a fourth takes the place of the oldest, which must be settled.

        `seq` names the claim among those of its chunk. To have evidence also of a claim whose append was cut off by
        death, begin before the append with the chunk's last sequence, which the claim is appended after.
        """
        area = min(self._areas, key=lambda candidate: candidate.ordinal)
        self._ordinal += 1
        area.begin(self._ordinal, mailing, n, seq, indexes)
        return Claim(area, indexes)

    def close(self) -> None:
        """Give it up; the file stays if a claim in it is not settled."""
        settled = not any(area.used for area in self._areas)
        self._areas.clear()
        self._map.close()
        if settled:
            self.path.unlink(missing_ok=True)
        os.close(self._descriptor)
        _ours.discard(str(self.path))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_evidence(folder: Path, mailing: str, n: int) -> list[Evidence]:
    """Return what journals of dead owners tell about the claims of one chunk, one entry a claim."""
    found: list[Evidence] = []
    for path in sorted(folder.glob("*.journal")):
        with _dead(path) as descriptor:
            if descriptor is None:
                continue
            data = os.pread(descriptor, SIZE, 0)
            try:
                proofs = _proofs(data)
            except CorruptError as error:  # quarantined: whoever looks for evidence finds none
                logger.warning("journal %s cannot be read: %s", path.name, error)
                path.rename(path.with_suffix(".corrupt"))
                continue
            found.extend(proof for proof in proofs if (proof.mailing, proof.n) == (mailing, n))
    return found


def forget(folder: Path, mailing: str, n: int) -> None:
    """Drop the evidence about a chunk whose claims the log has settled; journals left empty are deleted."""
    for path in sorted(folder.glob("*.journal")):
        with _dead(path) as descriptor:
            if descriptor is None or os.fstat(descriptor).st_size != SIZE:
                continue
            with mmap.mmap(descriptor, SIZE) as mapped:
                areas = [Area(mapped, _START + place * AREA) for place in range(_AREAS)]
                for area in areas:
                    if area.names(mailing, n):
                        area.clear()
                if not any(area.used for area in areas):
                    path.unlink(missing_ok=True)


def sweep(folder: Path, older_than: float) -> int:
    """Delete journals of dead owners, drafts and quarantined files untouched for `older_than` seconds; say how many."""
    deadline = wall() - older_than
    gone = 0
    for path in [*folder.glob("*.journal"), *folder.glob("*.draft"), *folder.glob("*.corrupt")]:
        with _dead(path) as descriptor:
            if descriptor is not None and os.fstat(descriptor).st_mtime < deadline:
                path.unlink(missing_ok=True)
                gone += 1
    return gone


def _proofs(data: bytes) -> list[Evidence]:
    if len(data) != SIZE or not data.startswith(_MAGIC):
        raise CorruptError("not a journal, or cut off")
    same_boot = _HEAD.unpack_from(data)[1] == _boot_id()
    found: list[Evidence] = []
    for place in range(_AREAS):
        record = read(data, _START + place * AREA)
        if record is None:
            continue
        answered = {
            index: reply._replace(queue_id=queue_id(reply.text) if reply.code < 300 else "")
            for index, reply in record.replies.items()
            if reply.code
        }
        taken_back = record.replies.keys() - answered.keys()
        silent = frozenset(record.indexes) - answered.keys()
        doubtful = silent & (record.dotted | taken_back) if same_boot else silent
        found.append(Evidence(record.mailing, record.n, record.seq, answered, doubtful, silent - doubtful))
    return found


@contextmanager
def _dead(path: Path) -> Iterator[int | None]:
    """Yield a descriptor of a journal whose owner is dead, None while it lives. Many may read and clear at once."""
    if str(path) in _ours:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:  # settled and deleted by somebody else meanwhile
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:  # the owner lives: no evidence
            yield None
        else:
            yield descriptor
    finally:
        os.close(descriptor)


def _boot_id() -> bytes:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()[:36].ljust(36)
    except OSError:  # not Linux: every reboot looks like the same boot, so nothing may be trusted as untouched
        return os.urandom(18).hex().encode()
