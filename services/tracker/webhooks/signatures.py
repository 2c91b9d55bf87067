"""Signatures of SendGrid and Mailgun, and the password of Postmark, as each provider documents them. Pure.

SendGrid signs timestamp and body with ECDSA over P-256. Mailgun signs timestamp and token, not the body: who has seen
one request could send another under its signature, so `Tokens` remembers what came under which. Postmark signs nothing
and shows a password. A time stamp may be somewhat older than the longest time for which its provider tries again, for a
bounce that was kept waiting must not be lost; what is told twice within it is one fact.
"""

import hashlib
import hmac
from base64 import b64decode
from binascii import Error as Base64Error
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

Verdict = Literal["valid", "forged", "replayed"]

MAX_AGE = 25 * 3600
"""Seconds: SendGrid tries for 24 hours, SNS for one."""

MAILGUN_MAX_AGE = 9 * 3600
"""Mailgun tries for eight hours; as its signature fits any body, no longer than that."""

MAX_AHEAD = 300

SENDGRID_SIGNATURE = b"x-twilio-email-event-webhook-signature"
SENDGRID_TIMESTAMP = b"x-twilio-email-event-webhook-timestamp"

_MAX_SIGNATURE = 400
_MAX_CLAIM = 120


class BadKeyError(ValueError):
    """A key in the settings is none; the message says of whom."""


def sendgrid_keys(texts: Iterable[str]) -> list[ec.EllipticCurvePublicKey]:
    """Return the public keys that SendGrid shows as base64 of DER.

    Raises:
        BadKeyError: One is no such key.
    """
    keys = []
    for text in texts:
        try:
            key = load_der_public_key(b64decode(text, validate=True))
        except ValueError as error:  # the start is refused, with the name of the setting
            raise BadKeyError("POSTHASTE_SENDGRID_KEYS holds something that is no verification key") from error
        if not isinstance(key, ec.EllipticCurvePublicKey):
            raise BadKeyError("POSTHASTE_SENDGRID_KEYS holds a key of another kind than SendGrid's")
        keys.append(key)
    return keys


def sendgrid(
    keys: Sequence[ec.EllipticCurvePublicKey], signature: str, timestamp: str, body: bytes, now: datetime
) -> Verdict:
    """Return what the headers of an event webhook are worth."""
    try:
        signed = b64decode(signature[:_MAX_SIGNATURE], validate=True)
    except (Base64Error, ValueError):  # no signature
        return "forged"
    told = timestamp.encode("latin-1", "replace") + body
    if not any([_verifies(key, signed, told) for key in keys]):  # noqa: C419 - as long for each
        return "forged"
    return _in_time(timestamp, now)


def _verifies(key: ec.EllipticCurvePublicKey, signature: bytes, told: bytes) -> bool:
    try:
        key.verify(signature, told, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:  # another key may fit
        return False
    return True


def mailgun(keys: Sequence[str], signed: Mapping[str, Any], now: datetime) -> Verdict:
    """Return what the signature in the body of a webhook is worth; of a subaccount, its parent's counts as well."""
    timestamp, token = str(signed.get("timestamp", "")), str(signed.get("token", ""))
    if not token or len(timestamp) + len(token) > _MAX_CLAIM:
        return "forged"
    told = [str(signed.get(name, ""))[:100] for name in ("signature", "parent-signature")]
    claim = f"{timestamp}{token}".encode("utf-8", "replace")
    right = [hmac.new(key.encode(), claim, "sha256").hexdigest() for key in keys]
    fits = [hmac.compare_digest(each.encode(), given.encode("utf-8", "replace")) for each in right for given in told]
    return _in_time(timestamp, now, MAILGUN_MAX_AGE) if any(fits) else "forged"


def password(logins: Sequence[str], authorization: str) -> Verdict:
    """Return whether a Basic authorization (RFC 7617) shows one of the logins, each `user:password`."""
    scheme, _, given = authorization[:_MAX_SIGNATURE].partition(" ")
    try:
        shown = b64decode(given.strip(), validate=True)
    except (Base64Error, ValueError):  # no Basic authorization
        shown = b""
    fits = [hmac.compare_digest(login.encode(), shown) for login in logins]
    return "valid" if scheme.lower() == "basic" and any(fits) else "forged"


def _in_time(timestamp: str, now: datetime, most: int = MAX_AGE) -> Verdict:
    if not (timestamp.isascii() and timestamp.isdigit()) or len(timestamp) > 12:
        return "forged"
    return age(int(timestamp), now, most)


def age(moment: float, now: datetime, most: int = MAX_AGE) -> Verdict:
    """Return whether a signed moment is recent enough to be believed."""
    return "valid" if -MAX_AHEAD <= now.timestamp() - moment <= most else "replayed"


class Tokens:
    """Which body came under which token of Mailgun's; bounded, the oldest are forgotten first."""

    def __init__(self, limit: int = 20_000) -> None:
        self._limit = limit
        self._seen: OrderedDict[bytes, bytes] = OrderedDict()

    def take(self, token: str, body: bytes) -> bool:
        """Take note of a token; return whether it is new, or came with the same body before."""
        known = self._seen.setdefault(_short(token.encode("utf-8", "replace")), _short(body))
        while len(self._seen) > self._limit:
            self._seen.popitem(last=False)
        return known == _short(body)


def _short(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:16]
