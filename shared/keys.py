"""Secrets at work: one key ring for signing and sealing, and the keyed hash that stands for an address.

The first key of the ring signs and seals; every key verifies and opens, so a ring rotates by putting a new key first.
What seals is loaded when something is first sealed or opened: most processes never do, and it takes 7 MiB.
"""

import hashlib
import hmac
from base64 import urlsafe_b64encode
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from shared.address_keys import AddressKeys

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class KeyRingError(ValueError):
    """The secrets of the environment are missing or too short."""


def _derive(secret: str, purpose: str) -> bytes:
    return hmac.digest(secret.encode(), purpose.encode(), "sha256")


@lru_cache(16)
def _sealer(*keys: bytes) -> "MultiFernet":
    """Return what seals with the first of `keys` and opens with each."""
    from cryptography.fernet import Fernet, MultiFernet  # noqa: PLC0415 - see the module

    return MultiFernet([Fernet(key) for key in keys])


@dataclass(frozen=True)
class KeyRing:
    """Keys derived from the secrets, by purpose.

    Attributes:
        token_keys: Key id -> key for tokens in URLs, newest first.
        active: Key id with which new tokens are signed.
    """

    token_keys: dict[str, bytes]
    active: str
    _sealing_keys: tuple[bytes, ...] = field(repr=False)
    _pepper: bytes = field(repr=False)
    _address_keys: AddressKeys = field(repr=False, compare=False)

    @classmethod
    def of(cls, secret_keys: str, address_pepper: str) -> "KeyRing":
        """Build the ring from `POSTHASTE_SECRET_KEYS` and `POSTHASTE_ADDRESS_PEPPER`; `KeyRingError` if unusable."""
        secrets = [part.strip() for part in secret_keys.split(",") if part.strip()]
        if not secrets or any(len(secret) < 32 for secret in secrets):
            raise KeyRingError("POSTHASTE_SECRET_KEYS needs one or more secrets of at least 32 characters")
        if len(address_pepper) < 32:
            raise KeyRingError("POSTHASTE_ADDRESS_PEPPER needs at least 32 characters")
        keys = {hashlib.sha256(b"key id" + s.encode()).hexdigest()[:4]: _derive(s, "token") for s in secrets}
        sealing = tuple(urlsafe_b64encode(_derive(secret, "seal")) for secret in secrets)
        pepper = _derive(address_pepper, "address")
        return cls(keys, next(iter(keys)), sealing, pepper, AddressKeys(pepper))

    @property
    def pepper(self) -> bytes:
        """What `AddressKeys` needs to hash addresses in another process of the same service."""
        return self._pepper

    def address_key(self, address: str) -> str:
        """Return the 16 hex digits that stand for an address in events, tokens and views."""
        return self._address_keys.of(address)

    def fingerprint(self, purpose: str, text: str) -> str:
        """Return a hash of `text` that nobody without the pepper can compare guesses with."""
        return hmac.digest(self._pepper, f"{purpose} {text}".encode(), "sha256").hex()

    def seal(self, text: str) -> bytes:
        """Encrypt a secret for SECRETS."""
        return _sealer(*self._sealing_keys).encrypt(text.encode())

    def sealed_by_first(self, sealed: bytes) -> bool:
        """Tell whether the first key of the ring sealed it."""
        return _opened(self._sealing_keys[:1], sealed) is not None

    def unseal(self, sealed: bytes) -> str:
        """Decrypt a secret; `KeyRingError` when no key of the ring opens it."""
        opened = _opened(self._sealing_keys, sealed)
        if opened is None:
            raise KeyRingError("a sealed secret opens with none of POSTHASTE_SECRET_KEYS")
        return opened.decode()


def _opened(keys: tuple[bytes, ...], sealed: bytes) -> bytes | None:
    from cryptography.fernet import InvalidToken  # noqa: PLC0415 - see the module

    try:
        return _sealer(*keys).decrypt(sealed)
    except InvalidToken:  # a key that is not among these did
        return None
