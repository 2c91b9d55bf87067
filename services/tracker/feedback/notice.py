"""The words of a mail system and the mail it returns, told apart: parts by their types, plain text by how it looks."""

import re
from dataclasses import dataclass, field

from services.tracker.feedback.mime import Part, fields_of, parse

MAX_NOTICE = 24_000

_STATUS_KINDS = ("message/delivery-status", "message/global-delivery-status")
_HEADER_KINDS = ("text/rfc822-headers", "message/global-headers", "text/global-headers", "message/rfc822-headers")
_MAIL_KINDS = ("message/rfc822", "message/global", "message/partial")
_DIVIDER = re.compile(
    r"^(?:[-=*_#> ]{2,60}[^\n]{0,30}\b(?:copy of|original (?:message|mail)|returned (?:message|mail)"
    r"|undelivered message|unsent message|message headers?|headers? of"
    r"|message follows|body follows|failed message|rejected message"
    r"|below this line|original e-?mail|message text|ursprüngliche|message d'origine|mensaje original"
    r"|messaggio originale|mensagem original|исходн\w+ сообщени\w+|wiadomość oryginalna)[^\n]{0,80}"
    r"|(?:message headers follow|(?:the |your )?original message (?:follows|headers follow|is attached)"
    r"|the (?:text|body|headers?) of the (?:original )?(?:message|mail)[^\n]{0,30}(?:follows?|is|are)"
    r"|original message(?: headers?)?|the following (?:is|was) the (?:original )?message)[^\n]{0,10})$",
    re.IGNORECASE | re.MULTILINE,
)
_HEADER_LINE = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,40}:(?:[ \t]|\S|$)")
_TELLING = re.compile(
    r"(?:received|return-path|message-id|dkim-signature|mime-version|x-mailer|delivered-to):", re.IGNORECASE
)
_WELL_KNOWN = re.compile(
    r"(?:from|to|subject|date|received|return-path|message-id|mime-version|content-type):", re.IGNORECASE
)
_STATUS_TEXT = re.compile(r"^(?:final-recipient|original-recipient)[ \t]*:", re.IGNORECASE | re.MULTILINE)


@dataclass(slots=True)
class Notice:
    """What a mail holds: words, machine-readable reports, and the header of the mail it returns."""

    text: str = ""
    statuses: list[str] = field(default_factory=list)
    feedback: list[str] = field(default_factory=list)
    original: dict[str, list[str]] = field(default_factory=dict)
    enclosed: list[Part] = field(default_factory=list)

    def add_original(self, head: dict[str, list[str]]) -> None:
        """Take the header of the returned mail; the first one counts."""
        if head and not self.original:
            self.original = head


def read(mail: Part) -> Notice:
    """Return what stands in the mail."""
    notice = Notice()
    pages: list[str] = []
    styled: list[str] = []
    _collect(mail, notice, pages, styled)
    for text in pages or styled:
        words, head = cut(text)
        notice.text += words + "\n\n"
        if head:
            quoted = parse(head.encode("utf-8", "replace"))
            notice.add_original(quoted.fields)
            notice.enclosed.append(quoted)
    if not notice.statuses and _STATUS_TEXT.search(notice.text):
        notice.statuses.append(notice.text)
    notice.text = notice.text[:MAX_NOTICE]
    return notice


def _collect(part: Part, notice: Notice, pages: list[str], styled: list[str]) -> None:
    if part.kind in _STATUS_KINDS:
        notice.statuses.append(part.readable())
    elif part.kind == "message/feedback-report":
        notice.feedback.append(part.readable())
    elif part.kind in _HEADER_KINDS:
        notice.add_original(fields_of(part.content()))
    elif part.kind in _MAIL_KINDS:
        for enclosed in part.parts:
            notice.add_original(enclosed.fields)
            notice.enclosed.append(enclosed)
    elif part.parts:
        for inner in part.parts:
            _collect(inner, notice, pages, styled)
    elif part.kind == "text/html":
        styled.append(part.readable())
    elif part.kind.startswith(("text/", "message/")) and len(pages) < 8:
        pages.append(part.readable())


def cut(text: str) -> tuple[str, str]:
    """Return the words before the returned mail, and that mail; "" where none is quoted."""
    text = text.replace("\r\n", "\n")
    at = _header_at(text)
    divider = _DIVIDER.search(text)
    if divider is not None and (at is None or divider.start() < at) and text[: divider.start()].strip():
        return text[: divider.start()], text[divider.end() :].lstrip("\n") if at is None else text[at:]
    if at is not None and text[:at].strip():
        return text[:at], text[at:]
    return text, ""


def _header_at(text: str) -> int | None:
    """Return where a header begins: lines like fields, three at least, of which one is seldom found elsewhere."""
    position, begun, known, told = 0, -1, 0, False
    for line in text.split("\n"):
        if begun >= 0 and line[:1] in (" ", "\t") and line.strip():
            pass  # a folded field goes on
        elif _HEADER_LINE.match(line) and (begun >= 0 or (_WELL_KNOWN.match(line) or _TELLING.match(line))):
            if begun < 0:
                begun, known, told = position, 0, False
            known += _WELL_KNOWN.match(line) is not None
            told = told or _TELLING.match(line) is not None
            if (known >= 3 and told) or known >= 4:
                return begun
        else:
            begun = -1
        position += len(line) + 1
    return None
