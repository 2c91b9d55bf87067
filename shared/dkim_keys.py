"""Private keys that sign mail for a domain: made, read, and shown as the record that the domain has to publish.

PEM goes in and out; what cannot be used is a `SigningKeyError` whose text quotes nothing of the key. RSA needs at least
2,048 bits (RFC 8301), Ed25519 is for a second signature (RFC 8463): not every receiver knows it. `cryptography` is
loaded with the first key: most processes never have one, and it takes 7 MiB.
"""

from base64 import b64encode
from collections.abc import Callable
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

Algorithm = Literal["rsa", "ed25519"]

RSA_BITS = 2_048
_MOST_RSA_BITS = 4_096


class SigningKeyError(ValueError):
    """It is no key that mail can be signed with."""


class SigningKey:
    """One private key."""

    def __init__(self, pem: str) -> None:
        """Read it.

        Raises:
            SigningKeyError: It cannot be used.
        """
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - see the module
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415

        key = self._key = _read(pem)
        self.algorithm: Algorithm = "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"
        if isinstance(key, RSAPrivateKey):
            self._sign: Callable[[bytes], bytes] = partial(key.sign, padding=PKCS1v15(), algorithm=hashes.SHA256())
        else:
            self._sign = lambda data: key.sign(sha256(data).digest())

    @classmethod
    def generate(cls, algorithm: Algorithm) -> str:
        """Return a new one as PEM."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - see the module
        from cryptography.hazmat.primitives.asymmetric import ed25519, rsa  # noqa: PLC0415

        plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        if algorithm == "rsa":
            return rsa.generate_private_key(65_537, RSA_BITS).private_bytes(*plain).decode()
        return ed25519.Ed25519PrivateKey.generate().private_bytes(*plain).decode()

    def record(self) -> str:
        """Return the text of the TXT record at `<selector>._domainkey.<domain>`."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - see the module

        public = self._key.public_key()
        if self.algorithm == "rsa":
            spelled = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            spelled = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={self.algorithm}; p={b64encode(spelled).decode()}"

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data`; the same data give the same one. Lets other threads run meanwhile."""
        return self._sign(data)


def _read(pem: str) -> "RSAPrivateKey | Ed25519PrivateKey":
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see the module
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415

    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):  # its message may quote the text
        raise SigningKeyError("this is no private key in PEM without a password") from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise SigningKeyError("mail is signed with RSA or Ed25519 keys")
    if isinstance(key, RSAPrivateKey) and not RSA_BITS <= key.key_size <= _MOST_RSA_BITS:
        raise SigningKeyError(f"an RSA key has {RSA_BITS} to {_MOST_RSA_BITS} bits, this one {key.key_size}")
    return key
