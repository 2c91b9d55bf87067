"""Passwords of people: argon2id, with parameters that cost an attacker 19 MiB and some 25 ms a guess.

Hashing runs beside the event loop, two at a time, so that many who sign in at once cost neither memory nor answers.
Whether there is anybody to compare with makes no difference in time: without a hash another one is verified.
"""

import asyncio

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

_AT_A_TIME = 2

_hasher = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = "$argon2id$v=19$m=19456,t=2,p=1$HD7RGLpBCq/3Aemxo//0rw$zqUsxkFdsGOi+7tMY7UMKVhCHWL2KcEUcdzxuxKUt4Y"


class Passwords:
    """Hashes and verifies."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(_AT_A_TIME)

    async def hash(self, password: str) -> str:
        """Return what to keep of a password."""
        async with self._turns:
            return await asyncio.to_thread(_hasher.hash, password)

    async def fits(self, password: str, kept: str | None) -> bool:
        """Tell whether it is the password that `kept` was made of; None is nobody's, which takes as long."""
        async with self._turns:
            return await asyncio.to_thread(_fits, password, kept or _NOBODY) and kept is not None


def _fits(password: str, kept: str) -> bool:
    try:
        return _hasher.verify(kept, password)
    except (VerifyMismatchError, InvalidHashError):  # wrong, or the verifier of a token: it does not fit
        return False
