"""What a mailing says, frozen (object in CONTENT, named by its hash), and whom a chunk addresses (message in PAYLOADS).

Both are plain data: the planner writes them, the sender compiles and renders them.
"""

from collections.abc import Collection
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict


class AttachedFile(BaseModel):
    """A file that every mail of a mailing carries; its bytes are the object in CONTENT that is named by their hash.

    Attributes:
        content_id: What the HTML names it by (`<img src="cid:logo">`); "" for what is no part of the page.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: str
    file_name: str
    media_type: str
    content_id: str = ""
    size: int


class Variant(BaseModel):
    """What a mailing says in another language."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    html: str = ""
    text: str = ""
    language: str = ""


class Content(BaseModel):
    """A frozen template, in the language of `template.parse`.

    Attributes:
        html: HTML body, "" where there is none; links to be tracked are listed in `links`.
        text: Text body; made from `html` at draft time where the author gave none.
        links: Tracked targets in order; the link id is the place in this list. `href`s in `html` and URLs in `text`
            that equal one of them are tracked.
        list_id: List-Id of RFC 2919 without brackets, e.g. `news.example.com`.
        headers: Further header fields, name -> value.
        campaign: Id of its campaign, for Feedback-ID.
        unsubscribe: Append an unsubscribe link where the template has no `{{ unsubscribe_url }}`.
        language: Code of the language of what we add, and of the pages its links lead to; "" leaves the pages to the
            browser.
        variants: What it says to people whose field `language` is the key, instead.
        zone: Time zone in which `today` and `now` are told; "" is UTC.
        notify: Who is told how the mailing ends, as is `notify_url`; no mail shows it.
        preheader: What its author gave as one; it stands in `html`.
        blind_copy: Who gets a copy of every mail; no mail shows it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str
    html: str = ""
    text: str = ""
    links: list[str] = []
    sender_name: str = ""
    sender_address: str
    reply_to: str = ""
    list_name: str = ""
    list_id: str = ""
    unsubscribe: bool = True
    language: str = ""
    zone: str = ""
    variants: dict[str, Variant] = {}
    campaign: str = ""
    headers: dict[str, str] = {}
    attachments: list[AttachedFile] = []
    notify: list[str] = []
    notify_url: str = ""
    preheader: str = ""
    blind_copy: str = ""

    def encoded(self) -> bytes:
        """Return the bytes whose SHA-256 names the object."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)

    def variant(self, language: str) -> "Content":
        """Return the content for one of the keys of `variants`."""
        return self.model_copy(update={**dict(self.variants[language]), "variants": {}})


def spoken(language: str, known: Collection[str]) -> str:
    """Return which of the languages a person speaks: `de-AT` is German where there is no Austrian; "" for none."""
    wanted = language.strip().lower().replace("_", "-")
    return wanted if wanted in known else short if (short := wanted.partition("-")[0]) in known else ""


class TemplateText(BaseModel):
    """What a template says that is kept: an object in CONTENT, named by its hash."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    subject: str = ""
    html: str = ""
    text: str = ""

    def encoded(self) -> bytes:
        """Return the bytes whose SHA-256 names the object."""
        return orjson.dumps(self.model_dump(mode="json"), option=orjson.OPT_SORT_KEYS)


class PayloadRow(BaseModel):
    """One recipient of a chunk; a blank row (`contact` == "") is a person who was erased.

    Attributes:
        address_key: Keyed hash of the canonical address, 16 hex digits.
        lists: Ids of the lists the contact came from and has not left.
        fields: Merge fields the template uses, as text.
        shown: The address that the mail shows, where it goes to another one: a blind copy.
        provider: Whose mailbox it is, where that is known and the lane is not its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    contact: str
    address: str = ""
    name: str = ""
    address_key: str = ""
    lists: list[str] = []
    fields: dict[str, str] = {}
    shown: str = ""
    provider: str = ""


def encode_rows(rows: list[dict[str, Any]]) -> tuple[bytes, list[bytes]]:
    """Return the payload message (JSON lines) and each row's own bytes, over which its digest is taken."""
    lines = [orjson.dumps(row, option=orjson.OPT_SORT_KEYS) for row in rows]
    return b"\n".join(lines), lines
