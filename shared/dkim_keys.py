"""Private keys that sign mail for a domain: made, read, and shown as the record that the domain has to publish.

PEM goes in and out; what cannot be used is a `SigningKeyError` whose text quotes nothing of the key. RSA needs at least
2,048 bits (RFC 8301), Ed25519 is for a second signature (RFC 8463): not every receiver knows it.
"""

from base64 import b64encode
from typing import Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

Algorithm = Literal["rsa", "ed25519"]

RSA_BITS = 2_048
_MOST_RSA_BITS = 4_096
_PADDING = PKCS1v15()
_SHA256 = hashes.SHA256()


class SigningKeyError(ValueError):
    """It is no key that mail can be signed with."""


class SigningKey:
    """One private key."""

    def __init__(self, pem: str) -> None:
        """Read it.

        Raises:
            SigningKeyError: It cannot be used.
        """
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):  # its message may quote the text
            raise SigningKeyError("this is no private key in PEM without a password") from None
        if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
            raise SigningKeyError("mail is signed with RSA or Ed25519 keys")
        if isinstance(key, RSAPrivateKey) and not RSA_BITS <= key.key_size <= _MOST_RSA_BITS:
            raise SigningKeyError(f"an RSA key has {RSA_BITS} to {_MOST_RSA_BITS} bits, this one {key.key_size}")
        self._key = key
        self.algorithm: Algorithm = "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"

    @classmethod
    def generate(cls, algorithm: Algorithm) -> str:
        """Return a new one as PEM."""
        key = generate_private_key(65_537, RSA_BITS) if algorithm == "rsa" else Ed25519PrivateKey.generate()
        return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()

    def record(self) -> str:
        """Return the text of the TXT record at `<selector>._domainkey.<domain>`."""
        public = self._key.public_key()
        if self.algorithm == "rsa":
            spelled = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            spelled = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={self.algorithm}; p={b64encode(spelled).decode()}"

    def sign(self, data: bytes) -> bytes:
        """Return the signature of `data`; the same data give the same one. Lets other threads run meanwhile."""
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, _PADDING, _SHA256)
        digest = hashes.Hash(_SHA256)
        digest.update(data)
        return self._key.sign(digest.finalize())
