"""The structure of a mailing's mails: header fields and parts, as bytes with the numbers of cells in between.

In comes the content as its author wrote it, out goes what `compose` fills for each recipient. Done once a mailing;
nothing here knows a recipient. What cannot be made into a mail at all raises `CompileError`.
"""

import hashlib
import re
from base64 import encodebytes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.sender.mails import headers, parts
from services.sender.mails.quoted import LINE_BREAK
from shared.contracts.content import AttachedFile, Content
from shared.contracts.template import parse

LABELS = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")


class CompileError(ValueError):
    """The content cannot be made into mails at all: an operator has to look at the mailing."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which mailing it is; `domain` is the right side of Message-ID, `account` what it goes through."""

    mailing: str
    domain: str
    account: str


def subject(source: str, fields: parts.Fields) -> list[parts.Segment]:
    """Return the subject as text and places of values."""
    segments: list[parts.Segment] = []
    last = 0
    for at in parse(source):
        segments += [source[last : at.start], fields.use(parts.whole(source, "subject", at))]
        last = at.end
    return [*segments, source[last:]]


def head(
    content: Content, identity: Identity, subject_segments: Sequence[parts.Segment], unsubscribe: bytes
) -> list[bytes | int]:
    """Return the fields that all recipients share, then the personal ones; the body's own follow.

    Args:
    content: What the author wrote.
    identity: Of which mailing it is.
    subject_segments: See `subject`.
    unsubscribe: Where one-click unsubscribing leads, up to the token; empty means nowhere.
    """
    sender = headers.address(content.sender_address)
    fixed = b"From: " + headers.mailbox(content.sender_name, sender, "sender name") + b"\r\n"
    if content.reply_to:
        fixed += b"Reply-To: <" + headers.address(content.reply_to) + b">\r\n"
    if content.list_id:
        if not LABELS.fullmatch(content.list_id):
            raise CompileError(f"mailing {identity.mailing}: {content.list_id!r} is no List-Id")
        fixed += b"List-Id: " + headers.mailbox(content.list_name, content.list_id.encode(), "list name") + b"\r\n"
    fixed += b"MIME-Version: 1.0\r\nPrecedence: bulk\r\n"
    fixed += headers.feedback_id(identity.mailing, content.campaign, identity.account, identity.domain)
    for name, value in content.headers.items():
        fixed += name.encode() + b": " + headers.unstructured(value, name) + b"\r\n"
    wire: list[bytes | int] = [fixed]
    if unsubscribe:
        wire += [b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nList-Unsubscribe: <" + unsubscribe]
        wire += [parts.UNSUBSCRIBE, b">\r\n"]
    written: bytes | int = parts.SUBJECT
    if all(isinstance(segment, str) for segment in subject_segments):
        written = headers.unstructured("".join(map(str, subject_segments)), "subject")
    wire += [b"Date: ", parts.DATE, b"\r\nTo: ", parts.TO, b"\r\nSubject: ", written]
    return [*wire, b"\r\nMessage-ID: <", parts.MESSAGE_ID, b"@" + identity.domain.encode() + b">\r\n"]


def body(content: Content, urls: parts.Urls, fields: parts.Fields, files: Mapping[str, bytes]) -> list[bytes | int]:
    """Return everything after the common header: its last fields, an empty line, the body; `files` by their hash."""
    wire = _texts(content, urls, fields)
    inline = [_file(file, files[file.object], urls.mailing) for file in content.attachments if file.content_id]
    if inline:
        wire = _multipart(b"related", b"-" + _boundary(urls.mailing), wire, inline)
    others = [_file(file, files[file.object], urls.mailing) for file in content.attachments if not file.content_id]
    return _multipart(b"mixed", b"--" + _boundary(urls.mailing), wire, others) if others else wire


def _texts(content: Content, urls: parts.Urls, fields: parts.Fields) -> list[bytes | int]:
    footer = content.unsubscribe
    bodies: list[tuple[bytes, list[parts.Segment]]] = []
    if content.text:
        source = LINE_BREAK.sub("\n", content.text)
        bodies.append((_part_head(b"plain"), parts.text_body(source, fields, urls, footer=footer)))
    if content.html:
        source = LINE_BREAK.sub("\n", content.html)
        bodies.append((_part_head(b"html"), parts.html_body(source, fields, urls, footer=footer)))
    if not bodies:
        raise CompileError(f"mailing {urls.mailing}: the content has neither HTML nor text")
    if len(bodies) == 1:
        head, segments = bodies[0]
        return [head, *parts.quoted_printable(parts.closed(segments))]
    boundary = _boundary(urls.mailing)
    wire: list[bytes | int] = [b'Content-Type: multipart/alternative; boundary="' + boundary + b'"\r\n']
    for head, segments in bodies:
        wire += [b"\r\n--" + boundary + b"\r\n" + head, *parts.quoted_printable(segments)]
    return [*wire, b"\r\n--" + boundary + b"--\r\n"]


def _boundary(mailing: str) -> bytes:
    """Return what no body holds: `=_` cannot occur in quoted-printable or base64."""
    return b"=_" + hashlib.sha256(mailing.encode()).hexdigest()[:24].encode()


def _multipart(
    subtype: bytes, boundary: bytes, first: Sequence[bytes | int], others: Sequence[bytes]
) -> list[bytes | int]:
    """Return an entity of several parts; each ends with its line end, which belongs to the boundary that follows."""
    head = b"Content-Type: multipart/" + subtype + b'; boundary="' + boundary + b'"\r\n\r\n--' + boundary + b"\r\n"
    following = b"".join([b"--" + boundary + b"\r\n" + other for other in others])
    return [head, *first, following + b"--" + boundary + b"--\r\n"]


def _file(file: AttachedFile, content: bytes, mailing: str) -> bytes:
    """Return a file as a part, in base64."""
    if hashlib.sha256(content).hexdigest() != file.object:
        raise CompileError(f"mailing {mailing}: an attachment is not what was attached")
    shown = b"inline" if file.content_id else b"attachment"
    head = b"Content-Type: " + file.media_type.encode() + b"\r\nContent-Transfer-Encoding: base64\r\n"
    head += b"Content-Disposition: " + shown + b";\r\n " + headers.parameter("filename", file.file_name) + b"\r\n"
    if file.content_id:
        head += b"Content-ID: <" + file.content_id.encode() + b">\r\n"
    return head + b"\r\n" + encodebytes(content).replace(b"\n", b"\r\n")


def _part_head(subtype: bytes) -> bytes:
    return b"Content-Type: text/" + subtype + b"; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
