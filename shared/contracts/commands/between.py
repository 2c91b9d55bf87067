"""What services ask each other; nobody else may."""

import zlib
from typing import Literal

from pydantic import BaseModel, Field

from shared.contracts.account import TlsMode
from shared.contracts.mailbox import MailboxSettings
from shared.contracts.mailing_settings import Tracking

_MOST_VIEWED = 16_000_000


class Recollection(BaseModel):
    """A service tells the planner what it remembers of the log (`trust.log`) and asks for its word.

    `incarnation` is "" where it remembers nothing.
    """

    who: str = Field(max_length=64)
    incarnation: str = ""
    seq: int = 0
    event_id: str = ""


class Word(BaseModel):
    """The planner's word: `why` says who remembers another log; empty where the log may be trusted."""

    incarnation: str
    why: dict[str, str] = {}


class HandedIn(BaseModel):
    """The planner hands an uploaded mail that came back to any tracker (`desk.take`)."""

    upload: str = Field(max_length=24)
    parts: int = Field(ge=1, le=32)


class HandedRecipient(BaseModel):
    """What the mail says of one recipient; whom it names is not told."""

    reason: str
    scope: str
    permanent: bool
    status: str = ""
    reply_code: str = ""


class TakenIn(BaseModel):
    """What the mail was; `problem` is a code where it was not taken, `facts` how many events it became."""

    problem: str = ""
    kind: str = ""
    feedback_type: str = ""
    proven: str = ""
    mailing: str = ""
    n: int | None = None
    index: int | None = None
    facts: int = 0
    recipients: list[HandedRecipient] = []


class ViewWanted(BaseModel):
    """A tracker asks any sender for the mail of a recipient as a page (`view.mail`)."""

    mailing: str = Field(max_length=24)
    n: int = Field(ge=0)
    index: int = Field(ge=0)


class Viewed(BaseModel):
    """The body of a mail as HTML; `gone` where it was erased or is kept no more, `later` where it fails just now."""

    state: Literal["shown", "gone", "later"]
    html: str = ""

    def packed(self) -> bytes:
        """Return it as it is answered: a page may be larger than a message."""
        return zlib.compress(self.model_dump_json().encode(), 1)

    @classmethod
    def unpacked(cls, raw: bytes) -> "Viewed":
        """Read an answer.

        Raises:
            ValueError: It is none.
        """
        unpacking = zlib.decompressobj()
        try:
            body = unpacking.decompress(raw, _MOST_VIEWED)
        except zlib.error as error:
            raise ValueError("not packed") from error
        if unpacking.unconsumed_tail:
            raise ValueError("larger than any mail")
        return cls.model_validate_json(body)


class Rehearsal(BaseModel):
    """The planner asks any sender to make mails of a chunk and to send none (`dry_run.chunk`).

    `content`, `tracking` and `token_key` as in a plan, `date` as in a claim; the rows of the payload from index `first`
    on follow. `until`, in seconds since 1970, an answer is waited for.
    """

    mailing: str
    account: str
    content: str
    tracking: Tracking
    token_key: str
    n: int
    date: int
    first: int
    until: float

    def packed(self, payload: bytes) -> bytes:
        """Return it with its rows, as it is asked."""
        return self.model_dump_json().encode() + b"\n" + payload

    @classmethod
    def unpacked(cls, raw: bytes) -> "tuple[Rehearsal, list[bytes]]":
        """Read what was asked, and the rows.

        Raises:
            ValueError: It is none.
        """
        first, *rows = raw.split(b"\n")
        return cls.model_validate_json(first), rows


class Rehearsed(BaseModel):
    """What came of the first of the mails that were asked for, at least one: as many as there was time for.

    Attributes:
        digests: base64 of 8 bytes each, in order: first bytes of the SHA-256 of the mail, unsigned; zeros where it
            cannot be made.
        sizes: Bytes of each mail, 0 where it cannot be made.
        causes: Why it cannot be made, by index in the chunk: what the sender would record.
        problem: Why none can be, "" where they were tried; `later`: ask again.
    """

    digests: str = ""
    sizes: list[int] = []
    causes: dict[int, str] = {}
    problem: str = ""


class Probe(BaseModel):
    """The planner asks any sender to try an account out (`probe.account`)."""

    account: str
    host: str
    port: int
    tls: TlsMode
    username: str = ""
    sender: str
    to: str = ""


class MailboxProbe(BaseModel):
    """The planner asks any tracker to try a mailbox out (`probe.mailbox`); the answer is a `ProbeResult`."""

    mailbox: str
    settings: MailboxSettings


class ProbeResult(BaseModel):
    """What the sender or the tracker saw."""

    working: bool
    detail: str
    tls: str = ""
    extensions: list[str] = []
