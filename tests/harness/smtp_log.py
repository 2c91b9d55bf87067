"""What a scripted SMTP server keeps of what arrived: the witness. In memory, and as a file of JSON lines."""

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any, NamedTuple


class Accepted(NamedTuple):
    """A message the server took responsibility for (or would have, had it answered).

    Attributes:
        at: Seconds since 1970 when its end had arrived, before any reply to it.
        parameters: Of MAIL and of RCPT, as they were given.
    """

    at: float
    sender: str
    recipient: str
    message_id: str
    size: int
    digest: str
    content: bytes
    parameters: tuple[str, str] = ("", "")


class SinkLog:
    """Every MAIL and every accepted message, in their order; a file, where there is one, instead of their bytes."""

    def __init__(self, path: Path | None = None) -> None:
        self.accepted: list[Accepted] = []
        self.mails: list[tuple[float, str]] = []
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) if path is not None else -1

    def mail(self, sender: str) -> None:
        """Keep a MAIL FROM."""
        self.mails.append((time.time(), sender))
        self._write({"mail": sender, "at": time.time()})

    def message(self, sender: str, recipient: str, content: bytes, parameters: tuple[str, str]) -> None:
        """Keep a message, before its reply leaves."""
        digest = hashlib.sha256(content).hexdigest()
        kept = content if self._file < 0 else b""
        entry = Accepted(time.time(), sender, recipient, _message_id(content), len(content), digest, kept, parameters)
        self.accepted.append(entry)
        self._write(
            {
                "accepted": entry.recipient,
                "from": entry.sender,
                "at": entry.at,
                "message_id": entry.message_id,
                "size": entry.size,
                "digest": digest,
            }
        )

    def clear(self) -> None:
        """Forget what is in memory."""
        self.accepted.clear()
        self.mails.clear()

    def close(self) -> None:
        """Close the file."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, entry: dict[str, Any]) -> None:
        if self._file >= 0:
            os.write(self._file, json.dumps(entry).encode() + b"\n")


def read_log(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a server's log file."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line.endswith(b"}")]


def _message_id(content: bytes) -> str:
    head = content.partition(b"\r\n\r\n")[0]
    place = (b"\r\n" + head).lower().find(b"\r\nmessage-id:")
    if place < 0:
        return ""
    return (b"\r\n" + head)[place + 13 :].partition(b"\r\n")[0].strip().decode("ascii", "replace")
