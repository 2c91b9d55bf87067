"""Values of header fields as bytes: display names, subjects, addresses, dates. Nothing can break out of its line.

In comes text from templates and contacts; out go bytes of printable ASCII, folded where long, RFC 2047 where needed.
Text with a control character or line separator raises `HeaderError`: that recipient is not sent to, the others are.
"""

import re
import time
from binascii import b2a_base64
from urllib.parse import quote

from shared import addresses
from shared.ids import derived_id

MAX_TEXT = 1_000
MAX_DISPLAY_NAME = 200

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NOT_ATOMS = re.compile(r"[^A-Za-z0-9 !#$%&'*+/?^_`{|}~-]")
_SPACES = re.compile(" {2,}")
_FOLD = "\r\n "
_LINE = 66
_LONGEST_WORD = 800
_WORD_BYTES = 39
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class HeaderError(ValueError):
    """The value must not stand in a header; the message says why and quotes nothing of it."""


def check(value: str, what: str) -> str:
    """Return `value` if no character of it can end a line or hide one; `HeaderError` otherwise."""
    if not (value.isascii() and value.isprintable()) and _CONTROL.search(value):
        raise HeaderError(f"control character in {what}")
    return value


def unstructured(value: str, what: str) -> bytes:
    """Return a subject or other free text; runs of spaces become one space."""
    check(value, what)
    if len(value) > MAX_TEXT:
        raise HeaderError(f"{what} is longer than {MAX_TEXT} characters")
    value = _single_spaced(value)
    if not value.isascii() or "=?" in value:
        return encoded_words(value)
    return value.encode() if len(value) <= _LINE else _folded(value)


def _single_spaced(value: str) -> str:
    return (_SPACES.sub(" ", value) if "  " in value else value).strip(" ")


def _folded(value: str) -> bytes:
    words = value.split(" ")
    if max(map(len, words)) > _LONGEST_WORD:
        return encoded_words(value)
    lines = [words[0]]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= _LINE:
            lines[-1] += " " + word
        else:
            lines.append(word)
    return _FOLD.join(lines).encode()


def phrase(value: str, what: str) -> bytes:
    """Return a display name as atoms, a quoted string or encoded words."""
    value = _single_spaced(check(value, what))
    if not value.isascii() or "=?" in value:
        return encoded_words(value)
    if _NOT_ATOMS.search(value) is None:
        return value.encode()
    return b'"' + value.replace("\\", "\\\\").replace('"', '\\"').encode() + b'"'


def encoded_words(value: str) -> bytes:
    """Return `value` as RFC 2047 words, one a line, none of which cuts a character."""
    raw = value.encode()
    if len(raw) <= _WORD_BYTES:
        return b"=?utf-8?B?" + b2a_base64(raw, newline=False) + b"?="
    words = [b""]
    for character in value:
        encoded = character.encode()
        if len(words[-1]) + len(encoded) > _WORD_BYTES:
            words.append(b"")
        words[-1] += encoded
    return b"\r\n ".join([b"=?utf-8?B?" + b2a_base64(word, newline=False) + b"?=" for word in words])


def mailbox(name: str, address: bytes, what: str) -> bytes:
    """Return `name <address>`; a name too long for a display name is left out."""
    display = phrase(name, what) if len(name) <= MAX_DISPLAY_NAME else check(name, what).encode()[:0]
    if not display:
        return b"<" + address + b">"
    return display + (b" <" if len(display) < 30 else b"\r\n <") + address + b">"


def address(text: str) -> bytes:
    """Return one of our own addresses for envelope and header (domain as A-labels).

    Raises:
        HeaderError: It is no address, or its local part is not ASCII.
    """
    parsed = recipient(text)
    if not parsed.isascii():
        raise HeaderError("needs SMTPUTF8")
    return parsed


def recipient(text: str) -> bytes:
    """Return a recipient's address for envelope and header (domain as A-labels, another script as UTF-8, RFC 6532).

    Raises:
        HeaderError: It is no address.
    """
    try:
        return addresses.parse(text).encode()
    except addresses.AddressError as error:
        raise HeaderError("bad address") from error


def parameter(name: str, value: str) -> bytes:
    """Return a parameter of a MIME field (RFC 2231 where it is not ASCII)."""
    check(value, name)
    if value.isascii():
        quoted = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}="{quoted}"'.encode()
    return f"{name}*=utf-8''{quote(value, safe='')}".encode()


def feedback_id(mailing: str, campaign: str, account: str, domain: str) -> bytes:
    """Return the field by which receivers sum up complaints: of a mailing, a campaign, an account, a sender."""
    sender = derived_id("sender", domain.lower())
    return f"Feedback-ID: {mailing}:{campaign or '-'}:{account or '-'}:{sender}\r\n".encode()


def date(seconds: int) -> bytes:
    """Return seconds since 1970 as the Date of RFC 5322, in UTC."""
    at = time.gmtime(seconds)
    day, month = _DAYS[at.tm_wday], _MONTHS[at.tm_mon - 1]
    return (
        f"{day}, {at.tm_mday:02d} {month} {at.tm_year} {at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d} +0000".encode()
    )
