"""Bounces in words alone: which addresses failed, and what was said of each.

General means first: addresses that open a line or stand alone on it, those of RCPT TO, those named after words like
`Recipient:`; each with the lines below it up to the next one. Confidence is low by nature: `Report.standard` is false.
"""

import re

from services.tracker.feedback import dialogue, judging
from services.tracker.feedback.envelope import ADDRESS, addresses, is_daemon, tidy
from services.tracker.feedback.judging import Said
from services.tracker.feedback.reasons import Reason
from services.tracker.feedback.report import Recipient

MAX_RECIPIENTS = 100

_A = ADDRESS.pattern
_OPENS = re.compile(
    rf"^[ \t>*-]{{0,12}}(?:\d{{3}} )?[\"'<(]{{0,2}}({_A})[\"'>)]{{0,2}}[ \t]*"
    r"(?:$|:|\.\.\.|[-=]{1,2}>?[ \t]|;|,?[ \t]*\(|[ \t])",
    re.MULTILINE,
)
_RCPT = re.compile(rf"rcpt to:?\s*<?({_A})>?", re.IGNORECASE)
_LABEL = re.compile(
    r"\b(?:(?:final|original|failed|intended)[- ]?)?(?:recipients?|rcpt|addressees?|to|user|mailbox|e?-?mail address|"
    r"empfänger|destinataires?|destinatari[oa]s?|destinatário|宛先|получател\w+|address)\b"
    rf"[^\n@:]{{0,30}}[:=][ \t]*(?:rfc822;[ \t]*)?[\"'\[]?<?({_A})>?",
    re.IGNORECASE,
)
_TRANSCRIPT = re.compile(r"transcript of (?:the )?(?:smtp )?session", re.IGNORECASE)
_ANSWER = re.compile(rf"^[45]\d\d (?:[245]\.\d+\.\d+ )?<({_A})>\.\.\. .*$", re.MULTILINE)
_NOTHING = ("unclear", "unknown")
_GENERIC = re.compile(
    r"(?:^|\n\n)(?:i'm sorry to have to inform|for further assistance|if you do so|"
    r"this is the (?:mail system|qmail|postfix))(?:[^\n]|\n(?!\n))*|"
    r"this (?:message|e?-?mail|report|is an) (?:was |has been |is )?(?:created |generated )?automatically|"
    r"(?:delivery to the following recipients? (?:has )?failed|a message that you sent could not be delivered|"
    r"this is a permanent error|i'm afraid i wasn't able to deliver|the following address\(?es\)? failed|"
    r"could not be delivered to (?:one or more|all|some)|unable to deliver|message (?:could|can) ?not be delivered|"
    r"i'm sorry to have to inform you|sorry it didn't work out|i've given up|undeliverable mail)|"
    r"this is the .{0,60} at [^\n]*",
    re.IGNORECASE,
)


def read(notice: str, own: set[str], failed: list[str], originals: list[str], *, delayed: bool) -> list[Recipient]:
    """Return who was not reached.

    `own`: addresses that are ours or the mail system's; `failed`: those of X-Failed-Recipients; `originals`: those to
    which the returned mail was addressed. Where nobody is named, one recipient without an address stands for all.
    """
    places = _places(notice, own, failed, originals)
    action = "delayed" if delayed else ""
    if not places:
        names = failed or [each for each in originals if each.lower() not in own] or originals[:1] or [""]
        return [_judged(name, notice, notice, action) for name in names[:MAX_RECIPIENTS]]
    found = []
    for number, (at, address) in enumerate(places):
        end = places[number + 1][0] if number + 1 < len(places) else len(notice)
        found.append(_judged(address, notice[at:end], notice if len(places) == 1 else notice[at:end], action))
    return found


def _places(notice: str, own: set[str], failed: list[str], originals: list[str]) -> list[tuple[int, str]]:
    """Return where each failed address begins to be spoken of."""
    if _TRANSCRIPT.search(notice) and (places := _answered(notice, own)):
        return places
    wanted = {each.lower() for each in failed}
    for pattern in (_OPENS, _RCPT, _LABEL, ADDRESS):
        found: dict[str, tuple[int, str]] = {}
        for match in pattern.finditer(notice):
            address = tidy(match[match.lastindex or 0].strip(".'"))
            key = address.lower()
            if (key in own and key not in wanted) or is_daemon(address):
                continue
            if pattern is ADDRESS and not wanted and originals and key not in {each.lower() for each in originals}:
                continue
            line = notice.rfind("\n", 0, match.start()) + 1
            found.setdefault(key, (line if pattern is not ADDRESS else max(0, line - 300), address))
            if len(found) >= MAX_RECIPIENTS:
                break
        if wanted & found.keys() and pattern is not _OPENS:
            found = {key: place for key, place in found.items() if key in wanted}
        if found:
            return sorted(found.values())
    return []


def _answered(notice: str, own: set[str]) -> list[tuple[int, str]]:
    """Return the places of a transcript (sendmail): what was said stands before the line that names the address."""
    places: list[tuple[int, str]] = []
    begin = 0
    for match in _ANSWER.finditer(notice):
        address = tidy(match[1])
        if address.lower() not in own and all(address != other for _, other in places):
            places.append((begin, address))
        begin = match.end()
    return places


def _judged(address: str, near: str, whole: str, action: str) -> Recipient:
    """Judge by the reply that is quoted near the address, then by the words near it, then by all of them."""
    near, whole = near[:4_000], whole[:8_000]
    quoted = dialogue.spoken(near) or dialogue.spoken(whole)
    status = dialogue.status(quoted) or dialogue.status(near)
    code = dialogue.code(quoted) or dialogue.code(near)
    command = dialogue.command(near) or dialogue.command(whole)
    reason: Reason = "unknown"
    vague: Reason | None = None
    for text in (quoted, _closest(near), _GENERIC.sub("", near), _GENERIC.sub("", whole)):
        if text.strip():
            reason = judging.reason(Said(text, status, code, command, action))
            if reason == "system" and text is not quoted:
                vague = vague or reason
            elif reason not in _NOTHING or (text is quoted and len(judging.normal(quoted).split()) > 3):
                return Recipient(address, reason, status, code)
    return Recipient(address, vague or reason, status, code)


def _closest(near: str) -> str:
    """Return the first paragraph, with the next one where it is no more than the address."""
    first, _, rest = near.lstrip("\n").partition("\n\n")
    return first if len(first.split()) > 1 else f"{first}\n{rest.partition(chr(10) * 2)[0]}"


def all_addresses(values: list[str]) -> list[str]:
    """Return the addresses of header fields."""
    return addresses(" , ".join(values))
