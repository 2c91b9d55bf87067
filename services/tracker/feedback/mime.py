"""MIME read from bytes, for mails that may be broken or hostile: whatever comes in, a `Part` comes out.

Limits: bytes read, depth, parts, header fields. Beyond them nothing more is opened, so a bomb costs what a mail costs;
nothing is ever unzipped. Broken boundaries leave a part as it stands, unknown charsets are read as Latin-1.
"""

import binascii
import codecs
import html
import re
from collections.abc import Iterator
from functools import lru_cache

MAX_BYTES = 4_000_000
MAX_DEPTH = 8
MAX_PARTS = 64
MAX_FIELDS = 400
MAX_VALUE = 8_000
MAX_TEXT = 64_000

_FOLD = re.compile(rb"\n[ \t]+")
_NAME = re.compile(rb"[!-9;-~]+")
_BOUNDARY = re.compile(r'boundary\s*=\s*(?:"([^"]{1,200})"|([^\s;]{1,200}))', re.IGNORECASE)
_CHARSET = re.compile(r'charset\s*=\s*"?([\w.:+-]{1,40})', re.IGNORECASE)
_WORD = re.compile(r"=\?([\w.:+-]{1,40})(?:\*[\w-]{0,20})?\?([bBqQ])\?([^?\s]{0,2000})\?=(?:\s+(?==\?))?")
_UNSAFE = frozenset({"idna", "punycode", "unicode_escape", "raw_unicode_escape", "undefined", "mbcs", "oem"})
_HIDDEN = re.compile(r"<(style|script|head|title)\b[^<>]*>", re.IGNORECASE)
_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|/?h\d|/?table)\b[^<>]*>", re.IGNORECASE)
_TAG = re.compile(r"<[!/a-zA-Z][^<>]*>")


class Part:
    """A header with what stands below it."""

    __slots__ = ("body", "fields", "kind", "parts", "type")

    def __init__(self, fields: dict[str, list[str]], body: bytes, default: str = "text/plain") -> None:
        self.fields = fields
        self.body = body
        self.type = self.get("content-type") or default
        kind = self.type.partition(";")[0].strip().lower()
        self.kind = kind if "/" in kind else default
        self.parts: list[Part] = []

    def get(self, name: str) -> str:
        """Return the first value of a field as it stands, "" where there is none."""
        values = self.fields.get(name)
        return values[0] if values else ""

    def text(self, name: str) -> str:
        """Return a field with its encoded words (RFC 2047) decoded."""
        return words(self.get(name))

    def walk(self) -> Iterator["Part"]:
        """Yield this part and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()

    def content(self) -> bytes:
        """Return the body without its transfer encoding."""
        encoding = self.get("content-transfer-encoding").strip().lower()
        try:
            if encoding == "base64":
                return binascii.a2b_base64(re.sub(rb"[^A-Za-z0-9+/]", b"", self.body[: 2 * MAX_TEXT]) + b"==")
            if encoding == "quoted-printable":
                return binascii.a2b_qp(self.body[: 3 * MAX_TEXT])
        except binascii.Error:  # not what it says it is: read as it stands
            pass
        return self.body

    def readable(self) -> str:
        """Return the beginning of the body as text; HTML without its tags."""
        text = decoded(self.content()[: 2 * MAX_TEXT], self.type)[:MAX_TEXT]
        return plain(text) if self.kind == "text/html" else text


def parse(raw: bytes) -> Part:
    """Return the mail as a tree."""
    raw = raw[:MAX_BYTES].replace(b"\r\n", b"\n").lstrip(b"\n")
    if raw.startswith((b"From ", b">From ")):
        raw = raw.partition(b"\n")[2]
    budget = [MAX_PARTS]
    return _part(raw, 0, budget, "text/plain")


def fields_of(head: bytes) -> dict[str, list[str]]:
    """Return the fields of a header by their names in lower case, unfolded."""
    found: dict[str, list[str]] = {}
    for line in _FOLD.sub(b" ", head[:200_000]).split(b"\n", MAX_FIELDS)[:MAX_FIELDS]:
        name, colon, value = line.partition(b":")
        name = name.rstrip()
        if colon and _NAME.fullmatch(name):
            text = value[:MAX_VALUE].strip()
            found.setdefault(name.decode("ascii").lower(), []).append(decoded(text, ""))
    return found


def _part(raw: bytes, depth: int, budget: list[int], default: str) -> Part:
    budget[0] -= 1
    if raw.startswith(b"\n"):
        head, body = b"", raw[1:]
    else:
        head, _, body = raw.partition(b"\n\n")
    part = Part(fields_of(head), body, default)
    if depth >= MAX_DEPTH:
        return part
    if part.kind.startswith("multipart/"):
        inner = "message/rfc822" if part.kind == "multipart/digest" else "text/plain"
        for piece in _pieces(part):
            if budget[0] <= 0:
                break
            part.parts.append(_part(piece, depth + 1, budget, inner))
    elif part.kind in ("message/rfc822", "message/global") and budget[0] > 0:
        part.parts.append(_part(part.content().lstrip(b"\n"), depth + 1, budget, "text/plain"))
    return part


def _pieces(part: Part) -> list[bytes]:
    """Return the parts of a multipart; without a usable boundary, the whole body as one plain part."""
    found = _BOUNDARY.search(part.type)
    boundary = (found[1] or found[2]).strip() if found is not None else ""
    if not boundary:
        guess = re.search(rb"(?:^|\n)--([^\s]{1,200})[ \t]*\n", part.body)
        boundary = guess[1].decode("latin-1") if guess is not None else ""
    if not boundary:
        return [b"\n" + part.body]
    marker = re.escape(boundary.encode("utf-8", "replace"))
    pieces = re.split(rb"(?:^|\n)--" + marker + rb"(?:--)?[ \t]*(?=\n|\Z)", part.body, maxsplit=MAX_PARTS + 2)
    if len(pieces) == 1:
        return [b"\n" + part.body]
    return [piece[1:] for piece in pieces[1:] if piece.strip()]


@lru_cache(maxsize=64)
def _codec(name: str) -> str:
    """Return a codec that may be used on what comes from outside; "" for one that may not."""
    try:
        known = codecs.lookup(name)
    except (LookupError, ValueError):  # no such charset: the caller guesses
        return ""
    safe = known._is_text_encoding and known.name.replace("-", "_") not in _UNSAFE  # noqa: SLF001 - how Python itself tells them apart
    return known.name if safe else ""


def decoded(raw: bytes, content_type: str) -> str:
    """Return bytes as text by the charset of `content_type`; where that fails, by what they look like."""
    if raw.isascii() and b"\x1b" not in raw and "utf-7" not in content_type.lower():
        return raw.decode("ascii")
    found = _CHARSET.search(content_type) if content_type else None
    codec = _codec(found[1].lower()) if found is not None else ""
    if not codec and b"\x1b$" in raw:
        codec = "iso2022_jp"
    try:
        return raw.decode(codec or "utf-8", "replace" if codec else "strict")
    except (UnicodeError, ValueError):  # not UTF-8: every byte is something in Latin-1
        return raw.decode("latin-1")


def words(value: str) -> str:
    """Return a field's value with encoded words (RFC 2047) decoded; broken ones stay as they stand."""
    return _WORD.sub(_word, value) if "=?" in value else value


def _word(found: re.Match[str]) -> str:
    text = found[3].encode("ascii", "replace")
    try:
        raw = binascii.a2b_base64(text + b"==") if found[2] in "bB" else binascii.a2b_qp(text, header=True)
    except binascii.Error:  # not base64 after all
        return found[0]
    return decoded(raw, f"charset={found[1]}")


def plain(text: str) -> str:
    """Return HTML without tags, styles and scripts."""
    pieces, at = [], 0
    while (found := _HIDDEN.search(text, at)) is not None:
        pieces.append(text[at : found.start()])
        end = text.lower().find(f"</{found[1].lower()}", found.end()) if len(pieces) < MAX_PARTS else -1
        at = end if end >= 0 else len(text)
    pieces.append(text[at:])
    broken = _BREAK.sub("\n", "".join(pieces).replace("\n", " "))
    return html.unescape(_TAG.sub("", broken))
