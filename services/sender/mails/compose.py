"""Mails as bytes: what is compiled once a mailing costs a recipient a few joins, two MACs and one hash.

In come compiled content (compiled.py) and payload rows; out go the envelope commands and the message as it goes over
the wire, dot and all. The same content, chunk, row, index and date give the same bytes on every attempt and machine
(G6). What cannot be rendered raises `RenderError` for that recipient only.

With tracking `anonymous` all recipients share one recipient token; Message-ID and unsubscribe stay their own.
A `copy` goes to another address than it shows, and none of its links reads, leaves or joins for the one it shows.
"""

import hashlib
import re
from binascii import a2b_qp
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from html import escape
from operator import itemgetter
from typing import Any, NamedTuple

from services.sender.mails import headers, parts
from services.sender.mails.compiled import END_OF_MESSAGE, Compiled
from services.sender.mails.dkim import Signing
from services.sender.mails.headers import HeaderError
from services.sender.mails.quoted import SOFT_BREAK, encode, encode_value
from shared import tokens
from shared.contracts.content import spoken
from shared.contracts.expressions import ExpressionError
from shared.contracts.sending import MAIL_DIGEST_BYTES

_ADDRESS_KEY = re.compile(r"[0-9a-f]{16}")
_SCOPE = re.compile(r"[a-z0-9+]+|\*")
_MARKUP = re.compile("[&<>\"']")
_SCOPE_COLUMNS = 45
_LATER = ("", "")
_SHORT = 32
"""Characters of a value that is kept encoded, so that what is kept takes no more than half a MiB."""
_NOBODY = b"copy"
"""Stands for the token in the links of a copy, which are nobody's."""


class RenderError(ValueError):
    """This recipient's mail cannot be made. The cause holds no personal data and may be recorded."""

    def __init__(self, reason: str, kind: str = "render") -> None:
        super().__init__(reason)
        self.reason = reason
        self.cause = f"{kind}: {reason}"


class Rendered(NamedTuple):
    """One mail: return path and recipient of its envelope; the message up to and with the final dot; its digest.

    `mail_id`: what reports are to call it.
    """

    sender: bytes
    recipient: bytes
    message: bytes
    digest: bytes
    mail_id: bytes


class ChunkComposer:
    """Renders the recipients of one chunk."""

    def __init__(self, compiled: Compiled, n: int, bounce_domain: str = "") -> None:
        """Take the content and the chunk's number; with `bounce_domain` each mail comes back to its own address."""
        self._compiled = compiled
        self._signer = compiled.signer
        self._kid = compiled.signer.kid.encode() + b"."
        self._who = f"{compiled.mailing}.{n}.".encode()
        # The engine makes the values of expressions after those of fields; their places are kept.
        self._uses = [
            (use.name, use.default) if isinstance(use, parts.FieldUse) else _LATER for use in compiled.fields.uses
        ]
        self._expressions = compiled.expressions
        self._times = compiled.times
        self._cells = compiled.fields.cells
        self._longest = compiled.longest_value
        self._unsubscribes = compiled.unsubscribes
        self._opts_in = compiled.opts_in
        self._views = compiled.views
        self._query = compiled.query
        self._merges_subject = parts.SUBJECT in compiled.order
        self._sender = compiled.sender
        self._bounces_to = b"@" + bounce_domain.encode() if bounce_domain else b""
        self._static = compiled.static
        self._signing, self._split = compiled.signing, compiled.split + 1
        self._choose: Callable[[Sequence[bytes]], tuple[bytes, ...]] = itemgetter(*compiled.order)
        self._date = (-1, b"")
        self._others = {code: ChunkComposer(other, n, bounce_domain) for code, other in compiled.variants.items()}
        self._lists: list[str] | None = None
        self._scope = b""

    def render(self, row: Mapping[str, Any], index: int, date: int) -> Rendered:
        """Return the mail of a payload row (the keys of `PayloadRow`).

        Args:
            row: The recipient; missing keys count as empty.
            index: Its place in the chunk.
            date: Seconds since 1970 that stand in Date.

        Raises:
            RenderError: This mail cannot be made.
        """
        composer = self
        if self._others:
            language = spoken(str((row.get("fields") or {}).get("language") or ""), self._others)
            composer = self._others.get(language, self)
        try:
            return composer._render(row, index, date)  # noqa: SLF001 - another of this class
        except HeaderError as error:
            raise RenderError(str(error)) from None
        except UnicodeEncodeError:  # chained, it would carry the value into the logs
            raise RenderError("not valid Unicode") from None

    def _render(self, row: Mapping[str, Any], index: int, date: int) -> Rendered:
        if not row.get("contact"):
            raise RenderError("erased")
        text = row.get("address") or ""
        name = row.get("name") or ""
        address = shown = headers.recipient(text)
        if "shown" in row:
            text = row["shown"]
            shown = headers.recipient(text)
        who = b"%b%d" % (self._who, index)
        mac = self._signer.recipient_mac(who)
        message_id = b"%b.%b" % (who, mac)
        back = self._signer.bounce_mac(who) if self._bounces_to else b""
        unsubscribe, in_body = self._unsubscribe(row, who, back) if self._unsubscribes else (b"", _NOBODY)
        fields = row.get("fields") or {}
        if self._times is not None:
            fields = {**fields, **self._times.at(date)}
        values = self._values(fields, text, name)
        opt_in = self._opt_in(row, who, date) if self._opts_in else _NOBODY
        view = self._view(who) if self._views else _NOBODY
        if self._expressions:
            own = {parts.RECIPIENT: self._kid + message_id, parts.UNSUBSCRIBE_IN_BODY: in_body}
            own |= {parts.OPT_IN: opt_in, parts.VIEW: view}
            self._express(values, {**fields, "email": text, "name": name}, own)
        if self._date[0] != date:
            self._date = (date, headers.date(date))
        cells = [
            self._date[1],
            headers.mailbox(name, shown, "name"),
            self._subject(values) if self._merges_subject else b"",
            message_id,
            unsubscribe,
            in_body,
            self._kid + message_id,
            opt_in,
            view,
        ]
        for place, html in self._cells:
            value = values[place]
            cell = _kept_cell(value, html) if len(value) <= _SHORT else _cell(value, html)
            if len(cell) > self._longest:
                raise RenderError(f"field {self._uses[place][0] or 'of an expression'} is too long")
            cells.append(cell)
        pieces = self._static.copy()
        pieces[1::2] = self._choose(cells)
        message = b"".join(pieces) if self._signing is None else self._signed(self._signing, pieces, cells, date)
        digest = hashlib.sha256(message).digest()[:MAIL_DIGEST_BYTES]
        return Rendered(self._return_path(who, back), address, message, digest, message_id)

    def _return_path(self, who: bytes, mac: bytes) -> bytes:
        return b"b+%b%b.%b%b" % (self._kid, who, mac, self._bounces_to) if mac else self._sender

    def _signed(self, signing: Signing, pieces: list[bytes], cells: list[bytes], date: int) -> bytes:
        rest = b"".join(pieces[self._split :])
        signatures = signing.fields(cells, memoryview(rest)[: -len(END_OF_MESSAGE)], date)
        return b"".join([signatures, *pieces[: self._split], rest])

    @property
    def size(self) -> int:
        """About how many bytes a mail takes."""
        return self._compiled.size

    @property
    def signs(self) -> bool:
        """Whether rendering takes so long that it has to happen off the event loop."""
        return self._signing is not None

    def _values(self, fields: Mapping[str, Any], address: str, name: str) -> list[str]:
        values: list[str] = []
        for field, default in self._uses:
            value = address if field == "email" else name if field == "name" else fields.get(field)
            if value is None and field:
                value = next((given for key, given in fields.items() if key.lower() == field), None)
            if default is not None and (value is None or value == ""):
                value = default
            elif value is None:
                raise RenderError(f"missing field {field}")
            values.append(value if isinstance(value, str) else str(value))
        return values

    def _express(self, values: list[str], fields: Mapping[str, Any], own: Mapping[int, bytes]) -> None:
        """Put in what the engine makes; a value that is too long for a mail counts as too much work."""
        # Only what is asked for: the engine takes over every value of every mapping it is given.
        known = {key.lower(): str(value) for key, value in fields.items() if value is not None}
        links = {name: a2b_qp(own[cell]).decode() for cell, name in parts.OWN.items()}
        for place, use in self._expressions:
            try:
                values[place] = use.run.render(known, {parts.OWN[cell]: links[parts.OWN[cell]] for cell in use.own})
            except ExpressionError as error:
                line = use.line + error.line - 1
                raise RenderError(f"{use.field}, line {line}: {error.message}", "does_not_render") from None

    def _subject(self, values: list[str]) -> bytes:
        merged = [values[part] if isinstance(part, int) else part for part in self._compiled.subject]
        return headers.unstructured("".join(merged), "subject")

    def _claim(self, row: Mapping[str, Any], who: bytes) -> bytes:
        """Return what a link to leave or to join says: which mail, which address, which lists."""
        key = row.get("address_key") or ""
        if not _ADDRESS_KEY.fullmatch(key):
            raise RenderError("no address key")
        lists = row.get("lists") or []
        if lists != self._lists:
            scope = tokens.scope_of(lists)
            if not _SCOPE.fullmatch(scope):
                raise RenderError("bad list id")
            self._scope, self._lists = scope.encode(), list(lists)
        return b"%b.%b.%b" % (who, key.encode(), self._scope)

    def _view(self, who: bytes) -> bytes:
        return encode(f"{self._kid.decode()}{who.decode()}.{self._signer.view_mac(who).decode()}")

    def _opt_in(self, row: Mapping[str, Any], who: bytes, date: int) -> bytes:
        claim = b"%b.%d" % (self._claim(row, who), date // 86_400 + tokens.OPT_IN_DAYS)
        return encode((b"%b%b.%b" % (self._kid, claim, self._signer.opt_in_mac(claim))).decode())

    def _unsubscribe(self, row: Mapping[str, Any], who: bytes, back: bytes) -> tuple[bytes, bytes]:
        """Return the token as it stands in the header, and broken to lines for a body.

        Where mail comes back to us, the header names a mailbox beside the page: the token is its subject, and its
        address tells whose it is where a program leaves the subject out.
        """
        claim = self._claim(row, who)
        mac = self._signer.unsubscribe_mac(claim)
        token = b"%b%b.%b" % (self._kid, claim, mac)
        header = token + self._query
        if back:
            subject = token.replace(b"+", b"%2B")
            to = b"u+%b%b.%b%b" % (self._kid, who, back, self._bounces_to)
            header += b">,\r\n <mailto:%b?subject=%b" % (to, subject)
        if len(self._scope) > _SCOPE_COLUMNS:
            return header, encode(token.decode())
        first_line = claim[: len(claim) - len(self._scope) - 1]
        return header, b"%b%b%b=2E%b.%b" % (self._kid, first_line, SOFT_BREAK, self._scope, mac)


def _cell(value: str, html: bool) -> bytes:  # noqa: FBT001 - as `lru_cache` wants it
    """Return a value as it stands in a body."""
    if html and _MARKUP.search(value) is not None:
        value = escape(value)
    return encode_value(value)


_kept_cell = lru_cache(2_048)(_cell)
"""First names, companies and towns come again and again."""
