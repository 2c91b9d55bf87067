"""Where the catcher keeps mails: one file each, a thousand to a folder, and an index of envelopes beside them.

At most `keep` mails stay, give or take a folder: the oldest folder goes as a whole. The index is written in batches;
after a crash what it misses is read back from the files themselves, so every mail that was answered is listed.
"""

import shutil
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import orjson

PER_FOLDER = 1_000
_HEAD = 32_768
_LONGEST_SUBJECT = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """One kept mail; `subject` is as in the header, still encoded."""

    id: int
    at: float
    sender: str
    recipients: list[str]
    subject: str
    size: int


class MailStore:
    """Keeps mails in `folder`."""

    def __init__(self, folder: Path, keep: int = 100_000) -> None:
        self.entries: deque[Entry] = deque()
        self.received = 0
        self._folder = folder
        self._keep = max(keep, PER_FOLDER)
        self._index = folder / "index.jsonl"
        self._pending: list[Entry] = []
        self._last = 0
        self._made: Path | None = None

    def open(self) -> None:
        """Read what is there."""
        self._folder.mkdir(parents=True, exist_ok=True)
        known = {entry.id: entry for entry in self._indexed()}
        folders = sorted(int(path.name) for path in self._folder.iterdir() if path.is_dir() and path.name.isdigit())
        for number in folders:
            for path in sorted((self._folder / str(number)).glob("*.eml"), key=lambda p: int(p.stem)):
                mail = int(path.stem)
                self.entries.append(known.get(mail) or _recovered(mail, path))
        self._last = max((entry.id for entry in self.entries), default=0)
        self._drop_old()
        self._rewrite_index()

    def take(self, sender: str, recipients: list[str], body: bytes) -> str:
        """Keep one mail and return its id; `OSError` where it cannot be written."""
        mail = self._last + 1
        path = self.path(mail)
        if path.parent != self._made:
            path.parent.mkdir(exist_ok=True)
            self._made = path.parent
            self._drop_old()
        path.write_bytes(body)
        self._last = mail
        self.received += 1
        entry = Entry(mail, time.time(), sender, recipients, _subject(body), len(body))
        self.entries.append(entry)
        self._pending.append(entry)
        return str(mail)

    def flush(self) -> None:
        """Write the entries since the last time to the index."""
        pending, self._pending = self._pending, []
        if pending:
            with self._index.open("ab") as file:
                file.write(b"".join(orjson.dumps(asdict(entry)) + b"\n" for entry in pending))

    def path(self, mail: int) -> Path:
        """Return where the mail with that id stands."""
        return self._folder / str(mail // PER_FOLDER) / f"{mail}.eml"

    def find(self, mail: int) -> Entry | None:
        """Return one entry; ids rise by one, but for mails lost by hand."""
        if not self.entries:
            return None
        guess = mail - self.entries[0].id
        if 0 <= guess < len(self.entries) and self.entries[guess].id == mail:
            return self.entries[guess]
        return next((entry for entry in self.entries if entry.id == mail), None)

    def after(self, mail: int, limit: int) -> list[Entry]:
        """Return entries with a greater id, oldest first."""
        newer: list[Entry] = []
        for entry in reversed(self.entries):
            if entry.id <= mail:
                break
            newer.append(entry)
        return list(islice(reversed(newer), limit))

    def newest(self, recipient: str, before: int, limit: int) -> list[Entry]:
        """Return entries newest first, with a recipient that contains `recipient`, with an id below `before`."""
        return list(islice(self._matching(recipient.casefold(), before), limit))

    def _matching(self, recipient: str, before: int) -> Iterator[Entry]:
        for entry in reversed(self.entries):
            if before and entry.id >= before:
                continue
            if not recipient or any(recipient in address.casefold() for address in entry.recipients):
                yield entry

    def _drop_old(self) -> None:
        while self.entries:
            first = self.entries[0].id
            beyond = (first // PER_FOLDER + 1) * PER_FOLDER
            if len(self.entries) - (beyond - first) < self._keep:
                return
            while self.entries and self.entries[0].id < beyond:
                self.entries.popleft()
            shutil.rmtree(self.path(first).parent, ignore_errors=True)

    def _indexed(self) -> Iterator[Entry]:
        if not self._index.exists():
            return
        with self._index.open("rb") as file:
            for line in file:
                try:
                    yield Entry(**orjson.loads(line))
                except (orjson.JSONDecodeError, TypeError):  # a line cut by a crash: read back from the mail itself
                    continue

    def _rewrite_index(self) -> None:
        fresh = self._index.with_suffix(".new")
        with fresh.open("wb") as file:
            file.writelines(orjson.dumps(asdict(entry)) + b"\n" for entry in self.entries)
        fresh.replace(self._index)


def _subject(body: bytes) -> str:
    return _field(body, b"subject")[:_LONGEST_SUBJECT]


def _field(body: bytes, name: bytes) -> str:
    """Return the first header field of that name, unfolded."""
    end = body.find(b"\r\n\r\n", 0, _HEAD)
    head = b"\r\n" + body[: end if end >= 0 else _HEAD]
    start = head.lower().find(b"\r\n" + name + b":")
    if start < 0:
        return ""
    start += len(name) + 3
    stop = start
    while (stop := head.find(b"\r\n", stop + 1)) >= 0 and head[stop + 2 : stop + 3] in (b" ", b"\t"):
        pass
    value = head[start : stop if stop >= 0 else len(head)]
    return value.replace(b"\r\n", b"").decode("utf-8", "replace").strip()


def _recovered(mail: int, path: Path) -> Entry:
    body = path.read_bytes()
    to = _field(body, b"to").rpartition("<")[2].rstrip(">")
    return Entry(mail, path.stat().st_mtime, "", [to], _subject(body), len(body))
