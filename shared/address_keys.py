"""The keyed hash that stands for an address in events, tokens and views: HMAC-SHA-256 under the pepper, shortened.

The two blocks that the key fills are hashed once, which halves what an address costs (an import hashes millions).
"""

import hashlib

from shared.addresses import canonical

_BLOCK = 64
_INNER, _OUTER = 0x36, 0x5C  # RFC 2104


class AddressKeys:
    """Makes address keys."""

    def __init__(self, pepper: bytes) -> None:
        """Begin with a key of at most 64 bytes."""
        key = pepper.ljust(_BLOCK, b"\0")
        self._inner = hashlib.sha256(bytes(byte ^ _INNER for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ _OUTER for byte in key))

    def of(self, address: str) -> str:
        """Return the 16 hex digits that stand for an address."""
        inner = self._inner.copy()
        inner.update(canonical(address).encode())
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.hexdigest()[:16]
