"""Replies of a relay read: enhanced code, text, queue id, and the verdict. Pure; the words it knows are verdict_rules.

The outcome is decided by phase and code alone (4xx deferred, 5xx rejected, 2xx to the final dot accepted, a dot without
reply in doubt, nothing sent released); enhanced code and text only tell whose fault it is. `scrub` takes the recipient
out of a text before it is kept; classify first, scrub after.
"""

import re
from collections.abc import Sequence
from enum import IntEnum
from typing import Literal, NamedTuple

from services.sender.replies.scrub import scrub
from services.sender.replies.verdict_rules import BY_CODE, BY_TEXT, QUOTAS, VAGUE, Scope, by_detail

__all__ = ["Phase", "Verdict", "classify", "parse", "queue_id", "scrub"]

MAX_TEXT = 500


class Phase(IntEnum):
    """Where in the transaction of a mail something was said or ended."""

    NOT_SENT = 0
    MAIL = 1
    RCPT = 2
    DATA = 3
    DOT = 4


class Verdict(NamedTuple):
    """What a reply means for the recipient.

    Attributes:
        outcome: `accepted`, `deferred`, `rejected`, `in_doubt`, or `released` (nothing was tried).
        scope: Whose fault; "unknown" for an accepted mail.
        kind: A short word: user-unknown, mailbox-full, greylisted, reputation, policy...; "" for an accepted mail.
    """

    outcome: Literal["accepted", "deferred", "rejected", "in_doubt", "released"]
    scope: Scope
    kind: str


_ENHANCED = re.compile(rb"([245])\.(\d{1,3})\.(\d{1,3})(?=[ \t\r-]|$)")
_QUOTA = re.compile(r"quota|limit", re.IGNORECASE)
_CONTROL = dict.fromkeys([*range(32), *range(127, 160), 0x2028, 0x2029], " ")
_ID = r"([A-Za-z0-9][A-Za-z0-9._:+/=-]{3,119})"
_QUEUE_IDS = (
    re.compile(rf"queued as:? {_ID}", re.IGNORECASE),
    re.compile(rf"\bid[=:] ?{_ID}", re.IGNORECASE),
    re.compile(rf"InternalId={_ID}", re.IGNORECASE),
    re.compile(rf"(?:queue ?id|message ?id|tracking ?id|reference)\W{{1,3}}{_ID}", re.IGNORECASE),
    re.compile(rf"^(?:ok|accepted|queued|success)[:,]? (?:id |queued |message )?<?{_ID}>?(?![\w@])", re.IGNORECASE),
    re.compile(rf"\bOK\s+{_ID}\s+- gsmtp"),
)


def parse(lines: Sequence[bytes]) -> tuple[str, str]:
    """Return enhanced code and text of a reply's lines, without codes and controls, at most 500 characters.

    The last line is always there; of the lines before, as much as fits.
    """
    enhanced, last = _split(lines[-1])
    if len(lines) == 1:
        return enhanced, last[:MAX_TEXT]
    texts = []
    for line in lines:
        status, text = _split(line)
        enhanced = enhanced or status
        texts.append(text)
    last = last[:MAX_TEXT]
    before = " ".join(text for text in texts[:-1] if text)[: max(0, MAX_TEXT - len(last) - 1)]
    return enhanced, f"{before} {last}" if before and last else before or last


def _split(line: bytes) -> tuple[str, str]:
    found = _ENHANCED.match(line, 4)
    start = found.end() if found is not None else 4
    text = line[start : start + 4 * MAX_TEXT].decode("utf-8", "replace").rstrip("\r")
    if not text.isprintable():
        text = text.translate(_CONTROL)
    return (found[0].decode() if found is not None else ""), text.strip(" -")


def queue_id(text: str) -> str:
    """Return the id under which the relay keeps an accepted mail, or "" where the text names none."""
    if len(text) < 6:
        return ""
    for pattern in _QUEUE_IDS:
        if (found := pattern.search(text)) is not None and any(char.isdigit() for char in found[1]):
            return found[1].rstrip(".:")
    return ""


def classify(phase: Phase, code: int, enhanced: str, text: str) -> Verdict:
    """Return what a reply at `phase` means; `text` unscrubbed."""
    if phase == Phase.NOT_SENT:
        return Verdict("released", "unknown", "")
    if code == 0:
        return Verdict("in_doubt", "unknown", "") if phase == Phase.DOT else Verdict("released", "unknown", "")
    if code < 400:
        return Verdict("accepted", "unknown", "")
    scope, kind = _fault(phase, code, enhanced, text)
    return Verdict("deferred" if code < 500 else "rejected", scope, kind)


def _fault(phase: Phase, code: int, enhanced: str, text: str) -> tuple[Scope, str]:
    detail = enhanced[2:]
    sure = by_detail(detail)
    if sure is not None and detail not in VAGUE and not (detail in QUOTAS and _QUOTA.search(text)):
        return sure
    for pattern, scope, kind in BY_TEXT:
        if pattern.search(text):
            return _in_place(phase, code, scope, kind)
    return sure or BY_CODE.get(code) or _by_phase(phase, code)


def _in_place(phase: Phase, code: int, scope: Scope, kind: str) -> tuple[Scope, str]:
    """Weigh words by where they were said: before RCPT nothing is about the recipient, a 5xx is not just busy."""
    if phase == Phase.MAIL and scope in ("address", "domain"):
        return ("sender", "bad-sender") if code >= 500 else ("us", "busy")
    if code >= 500 and kind == "busy":
        return ("unknown", "refused")
    return scope, kind


def _by_phase(phase: Phase, code: int) -> tuple[Scope, str]:
    if phase == Phase.MAIL:
        return ("sender", "refused") if code >= 500 else ("us", "busy")
    if phase == Phase.RCPT and code in (550, 551, 553):
        return ("unknown", "refused")
    if phase == Phase.RCPT and code == 552:
        return ("address", "mailbox-full")
    if code == 552:
        return ("content", "too-large")
    return ("unknown", "refused") if code >= 500 else ("domain", "busy")
