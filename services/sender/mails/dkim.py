"""DKIM signatures (RFC 6376), relaxed/relaxed: RSA and Ed25519 side by side where a domain has both.

In come the header of a compiled template with its slots, later each mail's cells and the rest of its body; out come the
DKIM-Signature fields that go on top. All that is the same for every recipient is made canonical and hashed once. Every
field is covered; those that must be single are listed once more than they occur, so that none can be added. `t=` is
the date of the first claim, so every attempt has the same bytes (G6).
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

from shared.dkim_keys import SigningKey

OVERSIGNED = (b"from", b"to", b"subject", b"date")

_FIELD = re.compile(rb"[^\r\n]*(?:\r\n[ \t][^\r\n]*)*\r\n")
_SLOT = re.compile(rb"\0(\d+)\0")
_WHITE = re.compile(rb"[ \t]+")
_LINE = 70


def relaxed_field(field: bytes) -> bytes:
    """Return a header field canonical (RFC 6376, 3.4.2), without its line end."""
    name, _, value = field.partition(b":")
    value = _WHITE.sub(b" ", value.replace(b"\r\n", b"")).strip(b" ")
    return name.rstrip(b" \t").lower() + b":" + value


def relaxed_body(body: bytes) -> bytes:
    """Return a body canonical (RFC 6376, 3.4.4). Composed ones are so already: `compose` says why."""
    lines = [_WHITE.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join([line + b"\r\n" for line in lines])


@dataclass(frozen=True, slots=True)
class DomainKey:
    """The key that signs for `domain` and is published under `selector`."""

    domain: str
    selector: str
    key: SigningKey


class Signing:
    """Signs the mails of one template."""

    def __init__(self, keys: Sequence[DomainKey], head: Sequence[bytes | int], body_start: bytes) -> None:
        r"""Prepare what all mails share.

        Args:
            keys: One signature each, in this order.
            head: All header fields with `\r\n`; numbers are places in the cells of a mail.
            body_start: The first bytes of the body, up to what recipients do not share.
        """
        wire = b"".join([b"\0%d\0" % item if isinstance(item, int) else item for item in head])
        fields = [relaxed_field(field) for field in _FIELD.findall(wire)]
        names = [field.partition(b":")[0] for field in fields]
        pieces = _SLOT.split(b"".join([field + b"\r\n" for field in fields]))
        self._order = [int(slot) for slot in pieces[1::2]]
        self._static = pieces
        self._body = hashlib.sha256(body_start)
        self._signatures = [_Signature(key, [*names, *OVERSIGNED]) for key in keys]

    def fields(self, cells: Sequence[bytes], body_rest: bytes | memoryview, date: int) -> bytes:
        """Return the signature fields of one mail. `body_rest`: what follows the common start of the body."""
        body = self._body.copy()
        body.update(body_rest)
        pieces = self._static.copy()
        pieces[1::2] = [cells[place].replace(b"\r\n", b"") for place in self._order]  # unfolded, else canonical
        header, body_hash = b"".join(pieces), b64encode(body.digest())
        return b"".join([signature.field(header, body_hash, date) for signature in self._signatures])


class _Signature:
    """One signature field, but for what mails do not share."""

    def __init__(self, key: DomainKey, names: Sequence[bytes]) -> None:
        self._key = key.key
        self._start = (
            f"DKIM-Signature: v=1; a={key.key.algorithm}-sha256; c=relaxed/relaxed;\r\n"
            f" d={key.domain};\r\n s={key.selector};\r\n"
        ).encode()
        self._start += b" h=" + _listed(names) + b";\r\n t="
        self._canonical = relaxed_field(self._start)

    def field(self, header: bytes, body_hash: bytes, date: int) -> bytes:
        """Sign the canonical header and this field itself, its `b=` empty."""
        own = b"%b%d; bh=%b; b=" % (self._canonical, date, body_hash)
        signature = b64encode(self._key.sign(header + own))
        lines = b"\r\n ".join([signature[at : at + _LINE] for at in range(0, len(signature), _LINE)])
        return b"%b%d; bh=%b;\r\n b=%b\r\n" % (self._start, date, body_hash, lines)


def _listed(names: Sequence[bytes]) -> bytes:
    lines = [names[0]]
    for name in names[1:]:
        if len(lines[-1]) + len(name) < _LINE:
            lines[-1] += b":" + name
        else:
            lines.append(name)
    return b":\r\n ".join(lines)
