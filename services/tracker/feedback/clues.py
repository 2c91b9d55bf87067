"""Which mail of ours is answered: traces taken from anywhere in a mail, and the proof of them.

`gather` believes nothing. `verify` believes what our keys signed: the return path first, then the envelope id, then the
Message-ID. Only what verifies may lead to a suppression; addresses and Feedback-IDs are hints for people.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from services.tracker.feedback.envelope import addresses, unxtext
from services.tracker.feedback.mime import Part
from services.tracker.feedback.report import Clues
from shared.keys import KeyRing
from shared.tokens import BOUNCE_PREFIX, RecipientToken, verify_bounce, verify_recipient

MAX_CLUES = 20

LANDED = ("return-path", "delivered-to", "x-original-to", "envelope-to", "x-envelope-to", "to", "x-failed-to")
_PATH = re.compile(rf"{re.escape(BOUNCE_PREFIX)}[0-9a-z.]{{20,62}}(?=@)", re.IGNORECASE)
_MESSAGE_ID = re.compile(r"<([^<>\s]{3,250})>")

How = Literal["return-path", "envelope-id", "message-id"]


@dataclass(frozen=True, slots=True)
class Proof:
    """A mail of ours that a token of our own names, and where the token stood."""

    token: RecipientToken
    how: How


def gather(
    mail: Part, original: dict[str, list[str]], envelope_ids: Iterable[str], named: Iterable[str], digest: str
) -> Clues:
    """Return the traces of a mail: where it landed, what it returns, what it answers."""
    landed = [value for name in LANDED for value in mail.fields.get(name, [])]
    returned = [value for name in ("return-path", "x-original-from") for value in original.get(name, [])]
    received = [value[-400:] for value in mail.fields.get("received", [])[:5]]
    paths = [match[0] for value in (*landed, *returned, *received) for match in _PATH.finditer(value[:2_000])]
    ids = list(original.get("message-id", []))
    ids += [value for name in ("in-reply-to", "references") for value in mail.fields.get(name, [])]
    message_ids = [match[1] for value in ids for match in _MESSAGE_ID.finditer(value)]
    known = {name.lower() for name in named}
    others = addresses(" , ".join(original.get("to", [])), MAX_CLUES)
    return Clues(
        _few(paths),
        _few(unxtext(value.strip())[:200] for value in envelope_ids if value.strip()),
        _few(message_ids),
        _few(value[:200] for value in original.get("feedback-id", [])),
        _few(address for address in others if address.lower() not in known),
        digest,
    )


def verify(clues: Clues, key_ring: KeyRing) -> Proof | None:
    """Return the mail of ours that the clues prove, or None."""
    for path in clues.return_paths:
        if (token := verify_bounce(key_ring, path)) is not None:
            return Proof(token, "return-path")
    for envelope_id in clues.envelope_ids:
        if (token := _signed(key_ring, envelope_id)) is not None:
            return Proof(token, "envelope-id")
    for message_id in clues.message_ids:
        if (token := _signed(key_ring, message_id.partition("@")[0])) is not None:
            return Proof(token, "message-id")
    return None


def _signed(key_ring: KeyRing, text: str) -> RecipientToken | None:
    """Return whom `mailing.n.index.mac` names; it does not tell its key, so each of the ring is tried."""
    for kid in key_ring.token_keys:
        token = verify_recipient(key_ring, f"{kid}.{text}")
        if token is not None and not token.anonymous:
            return token
    return None


def _few(values: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(values))[:MAX_CLUES]
