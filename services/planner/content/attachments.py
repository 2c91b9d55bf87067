"""Files that go with every mail of a mailing, and further header fields: checked, and kept in CONTENT by their hash.

In come the attachments of a draft, each an upload or an object that was kept before; out go what the frozen content
says of them, or a `Refusal`. The sizes bound what a mail takes on the wire, and so the memory of senders.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence

from shared.contracts import subjects
from shared.contracts.commands import Attachment, Refusal
from shared.contracts.content import AttachedFile
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.eventlog.objects import Objects

MAX_FILES = 20
MAX_BYTES = 5 * 1024 * 1024
MAX_HEADERS = 20
MAX_VALUE = 900

_MEDIA_TYPE = re.compile(r"(?!multipart/|message/)[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._-]+(@[A-Za-z0-9.-]+)?")
_REFERENCE = re.compile(r"""["'(]\s*cid:([^"')\s]+)""", re.IGNORECASE)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}")
_OURS = re.compile(
    r"from|sender|reply-to|to|cc|bcc|subject|date|message-id|mime-version|return-path|received|precedence|feedback-id"
    r"|dkim-signature|authentication-results|(content|list|resent|arc)-.*"
)


async def attach(files: Sequence[Attachment], inbox: Documents, contents: Objects) -> list[AttachedFile] | Refusal:
    """Keep the files, and return what the content says of them."""
    if len(files) > MAX_FILES:
        message = f"A mailing has at most {MAX_FILES} attachments."
        return Refusal(code="too_many_attachments", message=message, field="attachments")
    kept: list[AttachedFile] = []
    total = 0
    for place, file in enumerate(files):
        where = f"attachments.{place}"
        refusal = _wrong(file, where)
        body = refusal or await _read(file, where, inbox, contents, MAX_BYTES - total)
        if isinstance(body, Refusal):
            return body
        name = hashlib.sha256(body).hexdigest()
        await contents.put(name, body)
        total += len(body)
        described = file.model_dump(include={"file_name", "media_type", "content_id"})
        kept.append(AttachedFile(object=name, size=len(body), **described))
    return kept


def _wrong(file: Attachment, where: str) -> Refusal | None:
    if _CONTROL.search(file.file_name) or "/" in file.file_name or "\\" in file.file_name:
        return Refusal(code="attachment_invalid", message="This is no name of a file.", field=f"{where}.file_name")
    if not _MEDIA_TYPE.fullmatch(file.media_type):
        message = "A media type looks like application/pdf; mails and multiparts cannot be attached."
        return Refusal(code="attachment_invalid", message=message, field=f"{where}.media_type")
    if file.content_id and not _CONTENT_ID.fullmatch(file.content_id):
        message = "A content id holds letters, digits, `.`, `_` and `-`."
        return Refusal(code="attachment_invalid", message=message, field=f"{where}.content_id")
    if bool(file.upload) == bool(file.object):
        message = "Name an upload or an object."
        return Refusal(code="attachment_invalid", message=message, field=f"{where}.upload")
    return None


async def _read(file: Attachment, where: str, inbox: Documents, contents: Objects, left: int) -> bytes | Refusal:
    body = bytearray()
    try:
        if file.object:
            async for piece in contents.open(file.object):
                body += piece
                if len(body) > left:
                    break
        for part in range(file.parts):
            body += await inbox.get(subjects.upload_part(file.upload, part))
            if len(body) > left:
                break
    except MissingError:  # refused: it is uploaded (again) first
        return Refusal(code="upload_missing", message="Not all parts of the upload are there.", field=where)
    if len(body) > left:
        message = f"The attachments of a mailing have at most {MAX_BYTES} bytes together."
        return Refusal(code="attachments_too_large", message=message, field=where)
    if not body:
        return Refusal(code="file_empty", message="The file is empty.", field=where)
    return bytes(body)


def wrong_references(html: str, files: Sequence[AttachedFile]) -> Refusal | None:
    """Return what is wrong between the HTML and the files shown inside it."""
    given = [file.content_id for file in files if file.content_id]
    if len(set(given)) < len(given):
        message = "Two attachments have the same content id."
        return Refusal(code="attachment_invalid", message=message, field="attachments")
    used = set(_REFERENCE.findall(html))
    if lost := sorted(used - set(given)):
        message = f"The HTML shows cid:{lost[0][:100]}, but no attachment has this content id."
        return Refusal(code="content_id_unknown", message=message, field="html")
    if spare := sorted(set(given) - used):
        message = f"Nothing in the HTML shows cid:{spare[0]}: leave the content id away, or use it."
        return Refusal(code="content_id_unknown", message=message, field="attachments")
    return None


def wrong_headers(fields: Mapping[str, str]) -> Refusal | None:
    """Return what is wrong with further header fields."""
    if len(fields) > MAX_HEADERS:
        message = f"A mailing has at most {MAX_HEADERS} header fields of its own."
        return Refusal(code="header_not_allowed", message=message, field="headers")
    if len({name.lower() for name in fields}) < len(fields):
        message = "A header field stands there twice."
        return Refusal(code="header_not_allowed", message=message, field="headers")
    for name, value in fields.items():
        if not _NAME.fullmatch(name) or _OURS.fullmatch(name.lower()):
            message = f"{name[:64]!r} cannot be set: it is no name of a header field, or one that we write."
            return Refusal(code="header_not_allowed", message=message, field="headers")
        if _CONTROL.search(value):
            message = "a line break or control character cannot stand in a header"
            return Refusal(code="control_character", message=message, field=f"headers.{name}")
        if not value.strip() or len(value) > MAX_VALUE:
            message = f"The value of a header field has 1 to {MAX_VALUE} characters."
            return Refusal(code="header_not_allowed", message=message, field=f"headers.{name}")
    return None
