"""Mails that unsubscribe: sent to the mailbox that `List-Unsubscribe` names beside the page.

A mail program fills in the subject, which is the whole token of the page's link; the address tells which mail it came
from where the subject was left out. Only what one of them proves is an opt-out, whoever sent the mail. Pure.
"""

import re

from services.tracker.feedback import mime
from services.tracker.feedback.clues import LANDED
from services.tracker.feedback.report import Kind
from shared.keys import KeyRing
from shared.tokens import LEAVE_PREFIX, RecipientToken, UnsubscribeToken, unsubscribe_in, verify_leaving

REPORTS: frozenset[Kind] = frozenset({"bounce", "delayed", "delivered", "complaint"})

_AT = re.compile(rf"{re.escape(LEAVE_PREFIX)}[0-9a-z.]{{20,62}}(?=@)", re.IGNORECASE)
_MOST = 20


def leaving(raw: bytes, key_ring: KeyRing) -> UnsubscribeToken | RecipientToken | None:
    """Return who leaves by a mail: what its subject proves, else its address; None where it is no such mail."""
    mail = mime.parse(raw)
    landed = [value[:2_000] for name in LANDED for value in mail.fields.get(name, [])]
    addresses = [match[0] for value in landed for match in _AT.finditer(value)][:_MOST]
    if not addresses:
        return None
    by_subject = unsubscribe_in(key_ring, mail.text("subject"))
    if by_subject is not None:
        return by_subject
    return next((token for each in addresses if (token := verify_leaving(key_ring, each)) is not None), None)
