"""What principals show to prove who they are: tokens of programs, and sessions of people who signed in.

A token is `pht_<id>_<secret>`; only the hash of its secret is kept. A session is `phs_` and what it says, signed with
the active key of the ring, so whoever has the keys verifies it without asking anybody. What is broken, forged or signed
with a key that left the ring is None.
"""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.keys import KeyRing

_NO_KEY = bytes(32)
_TOKEN = re.compile(r"pht_(?P<id>[a-z0-9]{1,24})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
_SESSION = re.compile(
    r"phs_(?P<kid>[0-9a-z]{1,8})\.(?P<signed>(?P<user>[a-z0-9]{1,24})\.(?P<id>[a-z0-9]{1,24})\."
    r"(?P<epoch>[0-9]{1,9})\.(?P<until>[0-9]{1,11}))\.(?P<mac>[A-Za-z0-9_-]{43})",
    re.ASCII,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was shown; `verifier` is the hash of its secret."""

    id: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Session:
    """A session that was signed here. It holds while `epoch` is that of the user, until `expires_at`."""

    user: str
    id: str
    epoch: int
    expires_at: datetime


def _spelled(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def _verifier(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def tokens_of(keys: KeyRing, token: str, cause: str) -> list[tuple[str, Token]]:
    """Return the token that `cause` (the id of a command) makes with each key of the ring, the active one first.

    The same cause makes the same token, so it need not be kept to be given again.
    """
    found = []
    for key in keys.token_keys.values():
        secret = _spelled(hmac.digest(key, f"token {token}.{cause}".encode(), "sha256"))
        found.append((f"pht_{token}_{secret}", Token(token, _verifier(secret))))
    return found


def read_token(shown: str) -> Token | None:
    """Return what looks like a token; whether its verifier is the right one is for the caller to compare."""
    match = _TOKEN.fullmatch(shown)
    return Token(match["id"], _verifier(match["secret"])) if match else None


def _mac(key: bytes, signed: str) -> str:
    return _spelled(hmac.digest(key, f"session {signed}".encode(), "sha256"))


def sign_session(keys: KeyRing, session: Session) -> str:
    """Return the session as its user shows it."""
    signed = f"{session.user}.{session.id}.{session.epoch}.{int(session.expires_at.timestamp())}"
    return f"phs_{keys.active}.{signed}.{_mac(keys.token_keys[keys.active], signed)}"


def read_session(keys: KeyRing, shown: str) -> Session | None:
    """Return the session that was signed here."""
    match = _SESSION.fullmatch(shown)
    if match is None:
        return None
    key = keys.token_keys.get(match["kid"])
    same = hmac.compare_digest(_mac(key or _NO_KEY, match["signed"]), match["mac"])
    if not same or key is None:
        return None
    until = datetime.fromtimestamp(int(match["until"]), UTC)
    return Session(match["user"], match["id"], int(match["epoch"]), until)
