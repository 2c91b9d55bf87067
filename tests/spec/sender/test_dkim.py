"""Signatures: a verifier that is not ours accepts every one of them, and what must be covered is."""

import re
from collections.abc import Sequence

import pytest
from dkim.canonicalization import Relaxed
from hypothesis import given, settings
from hypothesis import strategies as st

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer, RenderError
from services.sender.mails.dkim import DomainKey, relaxed_body, relaxed_field
from shared.contracts.content import Content
from shared.dkim_keys import SigningKey, SigningKeyError
from tests.harness.dkim import ED25519, RSA, records, selectors
from tests.spec.sender.composing import DATE, PUBLIC, SIGNER, content, row, values

DOMAIN = "mail.example.com"
PUBLISHED = records({(DOMAIN, "r1"): RSA, (DOMAIN, "e1"): ED25519})
BOTH = (DomainKey(DOMAIN, "r1", SigningKey(RSA)), DomainKey(DOMAIN, "e1", SigningKey(ED25519)))
FAST = BOTH[1:]


def composer(what: Content, keys: Sequence[DomainKey] = BOTH) -> ChunkComposer:
    """Return a composer that signs."""
    compiled = compile_content(
        what, mailing="m1", public_url=PUBLIC, signer=SIGNER, tracking="person", domain=DOMAIN, keys=keys
    )
    return ChunkComposer(compiled, 3)


def message(what: Content, keys: Sequence[DomainKey] = BOTH, **changes: object) -> bytes:
    """Return one message as receivers see it."""
    return composer(what, keys).render(row(**changes), 7, DATE).message.removesuffix(b".\r\n")


def test_both_signatures_verify() -> None:
    """RSA and Ed25519 stand side by side, and each holds by itself."""
    assert selectors(message(content()), PUBLISHED) == ["r1", "e1"]


def test_a_body_that_all_share_is_signed_too() -> None:
    """Without any slot in the body there is nothing left to hash per recipient."""
    what = content(html="", text="Hello all.\n", links=[], subject="Hi", unsubscribe=False)
    assert selectors(message(what), PUBLISHED) == ["r1", "e1"]


@given(first=values, company=values, name=values)
@settings(max_examples=150)
def test_whatever_the_values_are_the_signature_verifies(first: str, company: str, name: str) -> None:
    """Folded subjects, encoded words, long fields, odd spaces: canonical is what the verifier takes it to be."""
    try:
        signed = message(content(), FAST, fields={"first": first, "company": company}, name=name)
    except RenderError:  # such a value is refused
        return
    assert selectors(signed, PUBLISHED) == ["e1"]


def test_what_must_be_covered_is() -> None:
    """Every field is in h=, and those that must be single once more, so that a second one breaks the signature."""
    signed = message(content(), FAST)
    listed = re.sub(rb"\s", b"", re.search(rb"h=([^;]+);", signed)[1]).lower().split(b":")  # type: ignore[index]
    head = signed.partition(b"\r\n\r\n")[0].split(b"\r\n")
    present = [line.partition(b":")[0].lower() for line in head if line[:1] not in (b" ", b"")]
    assert sorted(listed) == sorted([*present[1:], b"from", b"to", b"subject", b"date"])
    for name in (b"list-unsubscribe", b"list-unsubscribe-post", b"list-id", b"message-id", b"mime-version"):
        assert listed.count(name) == 1
    for name in (b"From", b"To", b"Subject", b"Date"):
        with pytest.raises(AssertionError):
            selectors(name + b": added@evil.example\r\n" + signed, PUBLISHED)


@pytest.mark.parametrize("place", [b"Hi An", b"Anna <", b"List-Unsubscribe-Post: List", b"<html><body"])
def test_a_changed_byte_breaks_the_signature(place: bytes) -> None:
    """Of the header or of the body, shared by all or not."""
    signed = message(content(subject="Hi {{ first }}"), FAST)
    assert place in signed
    with pytest.raises(AssertionError):
        selectors(signed.replace(place, place[:-1] + b"x"), PUBLISHED)


def test_the_same_attempt_gives_the_same_bytes() -> None:
    """Two processes, one date: equal to the last byte of both signatures; t= is that date."""
    first, second = (composer(content()).render(row(), 7, DATE) for _ in range(2))
    assert first == second
    assert first.message.count(b"\r\n t=%d;" % DATE) == 2


def test_lines_of_the_signature_are_short() -> None:
    """No relay has a reason to fold it anew."""
    head = message(content()).partition(b"\r\nFrom:")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 78


white = st.text("ab \t", max_size=6)
lines = st.lists(st.text("ab \t.=\x0b", max_size=12), max_size=8)


@given(name=st.sampled_from(["Subject", "X-Odd ", "lower"]), values_=st.lists(white, min_size=1, max_size=4))
def test_fields_are_canonical_as_the_other_sees_them(name: str, values_: list[str]) -> None:
    """Folded anywhere, with any white space around."""
    folded = values_[0] + "".join("\r\n " + value for value in values_[1:])
    field = f"{name}:{folded}\r\n".encode()
    [(their_name, value)] = Relaxed.canonicalize_headers([(name.encode(), folded.encode() + b"\r\n")])
    assert relaxed_field(field) + b"\r\n" == their_name + b":" + value


@given(lines)
def test_bodies_are_canonical_as_the_other_sees_them(body: list[str]) -> None:
    """White space in lines and at their ends, empty lines at the end."""
    wire = "".join(line + "\r\n" for line in body).encode()
    assert relaxed_body(wire) == Relaxed.canonicalize_body(wire)


@pytest.mark.parametrize("pem", ["", "no key", SigningKey.generate("rsa").replace("PRIVATE", "PUBLIC")])
def test_what_is_no_key_is_refused_without_quoting_it(pem: str) -> None:
    """The error says what was expected, nothing of what came."""
    with pytest.raises(SigningKeyError, match=r"^this is no private key in PEM without a password$"):
        SigningKey(pem)
