"""What somebody wrote back: subject and text of an answer, short and without what would disturb a page."""

import re
from typing import NamedTuple

from services.tracker.feedback import mime
from services.tracker.feedback.envelope import addresses

MAX_SUBJECT = 200
MAX_WORDS = 4_000

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")
_LINES = re.compile(r"\n{3,}")


class Written(NamedTuple):
    """An answer: `sender` is the address in From, "" where there is none."""

    sender: str
    words: str


def written(raw: bytes) -> Written:
    """Return who wrote what; the words begin with the subject on a line of its own."""
    mail = mime.parse(raw)
    sender = next(iter(addresses(mail.get("from"), 1)), "")
    subject = _clean(mail.text("subject")).replace("\n", " ")[:MAX_SUBJECT]
    return Written(sender, f"{subject}\n\n{_text(mail)}".strip()[:MAX_WORDS])


def _text(mail: mime.Part) -> str:
    found = {part.kind: part for part in reversed(list(mail.walk())) if part.kind in ("text/plain", "text/html")}
    part = found.get("text/plain") or found.get("text/html")
    return _LINES.sub("\n\n", _clean(part.readable())).strip() if part is not None else ""


def _clean(text: str) -> str:
    return _CONTROL.sub("", text.replace("\r\n", "\n")).strip()
