"""A mail as a page: what whoever asks for it in a browser is shown, made from the very mail as it went out.

In comes whose mail, asked by a tracker that verified the link; out goes its HTML body (or its text), links and pixel as
they are in the mail, the images it carries inside the page. It is `gone` where the person or the payload was erased or
a key is no more, and `later` where the log does not answer. Rendering happens off the event loop: mails go out
meanwhile.
"""

import asyncio
import re
from base64 import b64encode
from email import message_from_bytes, policy
from email.message import EmailMessage
from html import escape

from services.sender.chunks.rows import fetch_rows
from services.sender.mails.compiled import END_OF_MESSAGE
from services.sender.mails.compose import ChunkComposer, RenderError
from services.sender.mails.contents import Contents
from shared.contracts import subjects
from shared.contracts.commands import Viewed, ViewWanted
from shared.contracts.sending import ChunkPlanned
from shared.eventlog.documents import Documents
from shared.eventlog.errors import EventLogError, MissingError
from shared.eventlog.store import EventLog
from shared.tokens import UnknownKeyError

MOST_IMAGES = 600_000
"""Bytes of images inside a page; what is beyond is left out, as the answer has to fit into a message."""

_CID = re.compile(r"""(?<=["'(])cid:([^"')\s]{1,200})(?=["')])""", re.IGNORECASE)
_TEXT = (
    '<!doctype html>\n<html><head><meta charset="utf-8"></head><body><pre style="white-space:pre-wrap">{}</pre></body>'
)

_GONE, _LATER = Viewed(state="gone"), Viewed(state="later")


class WebView:
    """Shows mails, for one sender process."""

    def __init__(self, log: EventLog, payloads: Documents, contents: Contents) -> None:
        self._log = log
        self._payloads = payloads
        self._contents = contents

    async def show(self, wanted: ViewWanted) -> Viewed:
        """Return the mail, or why it cannot be shown."""
        try:
            return await self._show(wanted)
        except (MissingError, UnknownKeyError):  # erased, by somebody or by its age
            return _GONE
        except (EventLogError, OSError, TimeoutError):  # the person may try again
            return _LATER

    async def _show(self, wanted: ViewWanted) -> Viewed:
        planned = [
            record
            async for commits in self._log.scan([subjects.plan_anywhere(wanted.mailing, wanted.n)])
            for commit in commits
            for record in commit.events
        ]
        if not planned or not isinstance(plan := planned[0].event, ChunkPlanned):
            return _GONE
        rows = await fetch_rows(self._payloads, plan)
        if wanted.index >= len(rows) or rows[wanted.index].fault:
            return _GONE
        unsigned = plan.model_copy(update={"selectors": []})
        compiled = await self._contents.of(unsigned)
        composer = ChunkComposer(compiled, plan.n)
        at = int(planned[0].time.timestamp())
        row = rows[wanted.index].data
        html = await asyncio.to_thread(_page, composer, row, wanted.index, at)
        return Viewed(state="shown", html=html) if html else _GONE


def _page(composer: ChunkComposer, row: object, index: int, at: int) -> str:
    try:
        mail = composer.render(row, index, at)  # type: ignore[arg-type]  # a row of the payload
    except RenderError:  # it was not sent either
        return ""
    return page_of(mail.message.removesuffix(END_OF_MESSAGE))


def page_of(message: bytes) -> str:
    """Return the body of a mail as HTML, its own images inside."""
    mail = message_from_bytes(message, policy=policy.default)
    assert isinstance(mail, EmailMessage)  # noqa: S101 - the policy says so
    html, text = mail.get_body(("html",)), mail.get_body(("plain",))
    if html is None:
        return _TEXT.format(escape(text.get_content())) if text is not None else ""
    return _with_images(html.get_content(), mail)


def _with_images(html: str, mail: EmailMessage) -> str:
    images: dict[str, str] = {}
    left = MOST_IMAGES
    for part in mail.walk():
        name = str(part["Content-ID"] or "").strip("<> ")
        payload = part.get_payload(decode=True) if name and part.get_content_maintype() == "image" else None
        if isinstance(payload, bytes) and len(payload) <= left:
            left -= len(payload)
            images[name] = f"data:{part.get_content_type()};base64,{b64encode(payload).decode()}"
    return _CID.sub(lambda match: images.get(match[1], match[0]), html)
