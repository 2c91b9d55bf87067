"""Delivery status notifications (RFC 3464, RFC 6533): a block about the message, then one for each recipient.

Read with patience: fields in any order and case, blocks run together, addresses missing or with types nobody knows.
What the status part leaves out, such as the command that was answered, is looked up in the words around the address.
"""

import re
from typing import NamedTuple

from services.tracker.feedback import dialogue, judging
from services.tracker.feedback.envelope import addresses, typed
from services.tracker.feedback.judging import Said
from services.tracker.feedback.mime import fields_of, words
from services.tracker.feedback.reasons import Reason
from services.tracker.feedback.report import Kind, Recipient

MAX_RECIPIENTS = 200

_BLANK = re.compile(r"\n[ \t]*\n")
_DIAGNOSTIC = re.compile(r"^\s*([\w.-]{1,40})\s*;\s*(.*)$", re.DOTALL)
_ANSWER = re.compile(r"^[45]\d\d (?:[245]\.\d+\.\d+ )?<[^<>\n]{1,254}>\.\.\. .*$", re.MULTILINE)
_NOTHING = ("unclear", "unknown")
_WEAK: tuple[Reason, ...] = ("unclear", "unknown", "security", "system", "network", "mailer")
_ACTIONS = {"failure": "failed", "fail": "failed", "bounced": "failed", "error": "failed", "delay": "delayed"}
_OUTCOMES: dict[str, Kind] = {
    "delayed": "delayed",
    "delivered": "delivered",
    "relayed": "delivered",
    "expanded": "delivered",
}

Fields = dict[str, list[str]]


class Status(NamedTuple):
    """What the status part says: of the message, of each recipient."""

    message: Fields
    recipients: list[Fields]


def parse(texts: list[str]) -> Status:
    """Return the blocks of the status parts."""
    message: Fields = {}
    recipients: list[Fields] = []
    for text in texts:
        for piece in _BLANK.split(text.replace("\r\n", "\n").strip("\n")):
            block = fields_of(piece.strip("\n").encode("utf-8", "replace"))
            if any(name in block for name in ("final-recipient", "original-recipient", "x-actual-recipient", "action")):
                recipients += _apart(block)
            elif recipients and "status" in block and "status" not in recipients[-1]:
                recipients[-1] |= block  # a blank line where none belongs
            else:
                message |= block
    return Status(message, recipients[:MAX_RECIPIENTS])


def _apart(block: Fields) -> list[Fields]:
    """Return one block for each recipient, where several were run together without a blank line."""
    finals = block.get("final-recipient", [])
    if len(finals) < 2:
        return [block]
    return [{name: [values[min(i, len(values) - 1)]] for name, values in block.items()} for i in range(len(finals))]


def read(status: Status, notice: str, failed: list[str]) -> tuple[Kind, list[Recipient]]:
    """Return what the status part says; `failed`: the addresses of X-Failed-Recipients, for blocks that name none."""
    found: list[tuple[Kind, Recipient]] = []
    for number, block in enumerate(status.recipients):
        address = _address(block) or (failed[number] if number < len(failed) else "")
        action = _first(block, "action").lower().split(" ")[0].strip(";,.")
        action = _ACTIONS.get(action, action)
        around = region(notice, address) if address else ""
        if not around and len(status.recipients) == 1:
            around = notice
        recipient = _recipient(block, address, action, around)
        found.append((_OUTCOMES.get(action, "bounce"), recipient))
    worst: Kind = min((kind for kind, _ in found), key=("bounce", "delayed", "delivered").index, default="other")
    return worst, _once([recipient for kind, recipient in found if worst in {kind, "bounce"}])


def _recipient(block: Fields, address: str, action: str, around: str) -> Recipient:
    match = _DIAGNOSTIC.match(_first(block, "diagnostic-code"))
    kind, text = (match[1].lower(), match[2]) if match is not None else ("", _first(block, "diagnostic-code"))
    given = dialogue.status(_first(block, "status"))
    if not given and _first(block, "status").startswith("2."):
        given = _first(block, "status").split(" ")[0]
    told = dialogue.status(text)
    quoted = "" if text else dialogue.spoken(around)
    code = dialogue.code(text) or dialogue.code(_first(block, "smtp-remote-status")) or dialogue.code(quoted)
    status = _better(given, told or dialogue.status(quoted))
    command = dialogue.command(around) or dialogue.command(text) or dialogue.command(_first(block, "status"))
    said = Said(text or quoted, status, code, command, action, kind)
    reason = judging.reason(said)
    category = judging.rules().by_category.get(_first(block, "x-powermta-bouncecategory").lower())
    if category is not None and reason in (*_WEAK, "filtered"):
        reason = category
    elif reason in _WEAK:
        reason = _second_thoughts(reason, said, around, "" if text else _first(block, "status"))
    return Recipient(address, reason, status, code)


def _second_thoughts(reason: Reason, said: Said, around: str, comment: str) -> Reason:
    """Look for a clearer reason in the words around; without a Diagnostic-Code, in the `comment` of the status."""
    nothing = reason in _NOTHING
    for text in (dialogue.spoken(around), around, comment) if comment else (dialogue.spoken(around),):
        if text:
            other = judging.reason(said._replace(text=text[-2_000:], status="" if nothing else said.status))
            if other not in _WEAK or (nothing and other not in _NOTHING):
                return other
    return reason


def _better(given: str, told: str) -> str:
    """Return the code that says more: that of the reply, unless it is the general one or of another class."""
    if not told or told.endswith(".0.0"):
        return given or told
    if not given or given.endswith(".0.0") or given[0] == told[0]:
        return told
    return given


def _address(block: Fields) -> str:
    for name in ("original-recipient", "final-recipient", "x-actual-recipient", "x-original-recipient"):
        address = typed(words(_first(block, name)))
        if address:
            return address
    return ""


def _first(block: Fields, name: str) -> str:
    values = block.get(name)
    return values[0] if values else ""


def _once(recipients: list[Recipient]) -> list[Recipient]:
    """Return each address once: the later block of the same address says nothing new."""
    seen: dict[str, Recipient] = {}
    for number, recipient in enumerate(recipients):
        seen.setdefault(recipient.address.lower() or f"#{number}", recipient)
    return list(seen.values())


def region(notice: str, address: str) -> str:
    """Return the paragraphs that speak of an address, each up to the line that begins with another one."""
    lowered, wanted = notice.lower(), address.lower()
    script = lowered.find("transcript of session follows")
    if script >= 0:
        end = lowered.find(f"<{wanted}>...", script)
        begin = max(
            script, max((found.end() for found in _ANSWER.finditer(notice, script, max(script, end))), default=0)
        )
        if end >= 0:
            return notice[begin : end + 400].partition("\n\n")[0]
    pieces: list[str] = []
    start = 0
    while len(pieces) < 4 and (at := lowered.find(wanted, start)) >= 0:
        begin = lowered.rfind("\n", 0, at) + 1
        end = lowered.find("\n\n", at)
        end = len(notice) if end < 0 else end
        lines = notice[begin:end].split("\n")
        kept = [lines[0]]
        for line in lines[1:40]:
            if (
                line.lstrip()[:1] in ("<", "@")
                and addresses(line[:200])[:1] not in ([], [address])
                and "<<<" not in line
            ):
                break
            kept.append(line)
        pieces.append("\n".join(kept))
        start = end if len(kept) == len(lines) else begin + len(pieces[-1]) + 1
    return "\n".join(pieces)
