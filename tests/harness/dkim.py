"""A verifier that is not ours: dkimpy, with the records of the test in place of DNS."""

from collections.abc import Mapping

import dkim

from shared.dkim_keys import SigningKey

RSA = SigningKey.generate("rsa")
ED25519 = SigningKey.generate("ed25519")


def records(keys: Mapping[tuple[str, str], str]) -> dict[str, bytes]:
    """Return the DNS of (domain, selector) -> PEM."""
    return {
        f"{selector}._domainkey.{domain}.": SigningKey(pem).record().encode()
        for (domain, selector), pem in keys.items()
    }


def selectors(message: bytes, published: Mapping[str, bytes]) -> list[str]:
    """Return the selectors whose signatures verify; an `AssertionError` if one does not."""
    verifier = dkim.DKIM(message)
    found = []
    count = sum(name.lower() == b"dkim-signature" for name, _ in verifier.headers)
    for place in range(count):
        try:
            held = verifier.verify(place, dnsfunc=lambda name, timeout=5: published.get(_text(name), b""))  # noqa: ARG005
        except dkim.DKIMException as error:  # it says some reasons so, others by False
            raise AssertionError(f"signature {place} of {count}: {error}") from error
        assert held, f"signature {place} of {count} does not verify"
        found.append(verifier.signature_fields[b"s"].decode())
    return found


def _text(name: str | bytes) -> str:
    return name.decode() if isinstance(name, bytes) else name
