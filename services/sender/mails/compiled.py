"""A mailing's content compiled once: bytes between slots, and all that is the same for every recipient.

In comes a frozen `Content`, out goes what a `ChunkComposer` fills (compose.py). A template that cannot be compiled
raises `CompileError`. By construction the body is quoted-printable, canonical for DKIM (relaxed) and needs no
dot-stuffing (see `quoted`). Where the domain has keys, signatures go on top (see `dkim`).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from services.sender.mails import headers, mime, parts
from services.sender.mails.dkim import DomainKey, Signing
from services.sender.mails.headers import HeaderError
from services.sender.mails.mime import LABELS, CompileError
from services.sender.mails.times import Times
from shared import tokens
from shared.contracts.content import Content
from shared.contracts.mailing_settings import Tracking
from shared.contracts.template import TIMES, TemplateError
from shared.tokens import Signer

MAX_MESSAGE = 16_000_000
END_OF_MESSAGE = b".\r\n"

_MAILING = re.compile(r"[a-z0-9]{1,24}")


def compile_content(
    content: Content,
    *,
    mailing: str,
    public_url: str,
    signer: Signer,
    tracking: Tracking,
    domain: str,
    account: str = "",
    keys: Sequence[DomainKey] = (),
    files: Mapping[str, bytes] | None = None,
    copy: bool = False,
) -> "Compiled":
    """Compile the content of a mailing; `domain` is the right side of Message-ID, with each of `keys` it is signed.

    `account` is told receivers as the third field of Feedback-ID. `files`: the attachments by their hash. A `copy` is
    to be compiled with tracking `off`.

    Raises:
        CompileError: A placeholder, an address or a setting is wrong; the planner refuses such drafts.
    """
    if not _MAILING.fullmatch(mailing) or not LABELS.fullmatch(domain):
        raise CompileError(f"mailing id {mailing!r} or sender domain {domain!r} cannot stand in a Message-ID")
    public_url = public_url.rstrip("/")
    if not tokens.is_target(public_url):
        raise CompileError(f"the public URL {public_url!r} is no http or https URL")
    links = {url: place for place, url in enumerate(content.links)}
    urls = parts.Urls(public_url, signer, mailing, tracking, links, content.language)
    try:
        entity = Entity(content, urls, mime.Identity(mailing, domain, account), files or {}, copy)
        compiled = Compiled(entity, keys)
        compiled.variants = {code: Compiled(entity.variant(code), keys) for code in content.variants}
    except (TemplateError, HeaderError) as error:
        raise CompileError(f"mailing {mailing}: {error}") from error
    return compiled


class Entity(NamedTuple):
    """What is compiled: the content, its URLs, which mailing it is, its attachments by their hash; is it a copy."""

    content: Content
    urls: parts.Urls
    identity: mime.Identity
    files: Mapping[str, bytes]
    copy: bool = False

    def variant(self, code: str) -> "Entity":
        """Return the same in another language."""
        said = self.content.variant(code)
        return self._replace(content=said, urls=replace(self.urls, language=said.language))


class Compiled:
    """A mailing's content as bytes between slots; hands out a composer for each chunk."""

    def __init__(self, entity: "Entity", keys: Sequence[DomainKey]) -> None:
        content, urls, identity, files, copy = entity
        self.signer = urls.signer
        self.mailing = urls.mailing
        self.fields = parts.Fields()
        self.subject = mime.subject(content.subject, self.fields)
        body = mime.body(content, urls, self.fields, files)
        # A mail of a list can be left with one click (RFC 8058), whether a body has a link or not.
        self.expressions = self.fields.expressions
        own = {cell for _, use in self.expressions for cell in use.own}
        leaves = content.unsubscribe or bool(content.list_id) or parts.UNSUBSCRIBE_IN_BODY in {*body, *own}
        self.unsubscribes = leaves and not copy
        self.opts_in = parts.OPT_IN in {*body, *own} and not copy
        self.views = parts.VIEW in {*body, *own} and not copy
        self.times = Times(content.zone) if self._uses_times() else None
        self.query = urls.query.encode()
        self.sender = headers.address(content.sender_address)
        unsubscribe = (urls.public_url + tokens.UNSUBSCRIBE_PATH).encode() if self.unsubscribes else b""
        head = mime.head(content, identity, self.subject, unsubscribe)
        self.static, self.order = _alternating([*head, *body, END_OF_MESSAGE])
        self.size = sum(map(len, self.static))
        if self.size > MAX_MESSAGE * 3 // 4:
            raise CompileError(f"mailing {self.mailing}: a mail would take {self.size} bytes")
        self.longest_value = (MAX_MESSAGE - self.size) // len(self.order)
        self.signing, self.split = self._signing(keys)
        self.variants: dict[str, Compiled] = {}

    def _uses_times(self) -> bool:
        names: set[str] = set()
        for use in self.fields.uses:
            names |= {use.name} if isinstance(use, parts.FieldUse) else {*map(str.lower, use.run.names), *use.plain}
        return bool(names & TIMES)

    def _signing(self, keys: Sequence[DomainKey]) -> tuple[Signing | None, int]:
        """Return what signs, None without a key, and the place of the piece in which the body begins."""
        split = next(place for place in range(0, len(self.static), 2) if b"\r\n\r\n" in self.static[place])
        last_field, _, body = self.static[split].partition(b"\r\n\r\n")
        head: list[bytes | int] = [*self.static[:split], last_field + b"\r\n"]
        head[1::2] = self.order[: split // 2]
        if split == len(self.static) - 1:  # all recipients share the whole body
            body = body.removesuffix(END_OF_MESSAGE)
        return (Signing(keys, head, body) if keys else None), split


def _alternating(wire: Sequence[bytes | int]) -> tuple[list[bytes], list[int]]:
    """Return the bytes with an empty place at every odd position, and the cell that fills each of those."""
    pieces = [b""]
    order: list[int] = []
    for item in wire:
        if isinstance(item, int):
            order.append(item)
            pieces += [b"", b""]
        else:
            pieces[-1] += item
    return pieces, order
