"""Identifiers: random ones for things people create, derived ones where the same cause must give the same id.

All ids are lower-case base32 without vowels that spell words, so they are safe in subjects, URLs and mail headers.
"""

import hashlib
import secrets
from base64 import b32encode

_ALPHABET = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789bcdfghjkmnpqrstvwxyzae")


def _spell(raw: bytes, length: int) -> str:
    return b32encode(raw).translate(_ALPHABET)[:length].decode()


def new_id(length: int = 12) -> str:
    """Return a random id of `length` characters, five bits each."""
    return _spell(secrets.token_bytes(length), length)


def derived_id(*cause: str, length: int = 12) -> str:
    """Return the id that belongs to `cause`: the same parts give the same id on every machine."""
    return _spell(hashlib.sha256("\x1f".join(cause).encode()).digest(), length)


def event_id(command_id: str, index: int) -> str:
    """Return the id of the `index`-th event that the command `command_id` causes."""
    return f"{command_id}.{index}"
