"""Attachments: what arrives is the file, beside the bodies and under the signature."""

import email
import hashlib
import os
from email.message import EmailMessage
from email.policy import default

import pytest

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer
from services.sender.mails.dkim import DomainKey
from services.sender.mails.mime import CompileError
from shared.contracts.content import AttachedFile
from shared.dkim_keys import SigningKey
from tests.harness.dkim import ED25519, records, selectors
from tests.spec.sender.composing import DATE, PUBLIC, SIGNER, content, row

DOMAIN = "mail.example.com"
FILES = {name: os.urandom(size) for name, size in (("logo", 3_000), ("terms", 100_000), ("one", 1))}
HASHES = {name: hashlib.sha256(body).hexdigest() for name, body in FILES.items()}
STORED = {HASHES[name]: body for name, body in FILES.items()}


def attached(name: str, file_name: str, media_type: str, content_id: str = "") -> AttachedFile:
    """Return a file of `FILES` as the content tells of it."""
    size = len(FILES[name])
    return AttachedFile(
        object=HASHES[name], file_name=file_name, media_type=media_type, content_id=content_id, size=size
    )


LOGO = attached("logo", "logo.png", "image/png", "logo")
TERMS = attached("terms", 'Preis"liste.pdf', "application/pdf")
UMLAUT = attached("one", "Übersicht 2027.txt", "text/plain")


def signed(files: list[AttachedFile], **changes: object) -> bytes:
    """Return a signed mail."""
    what = content(attachments=[file.model_dump() for file in files], **changes)
    key = DomainKey(DOMAIN, "e1", SigningKey(ED25519))
    compiled = compile_content(
        what,
        mailing="m1",
        public_url=PUBLIC,
        signer=SIGNER,
        tracking="person",
        domain=DOMAIN,
        keys=[key],
        files=STORED,
    )
    return ChunkComposer(compiled, 3).render(row(), 7, DATE).message.removesuffix(b".\r\n")


@pytest.mark.parametrize("changes", [{}, {"text": ""}, {"html": "", "links": []}])
@pytest.mark.parametrize(
    ("files", "types"),
    [
        ([LOGO], ["multipart/related"]),
        ([TERMS, UMLAUT], ["multipart/mixed"]),
        ([TERMS, LOGO, UMLAUT], ["multipart/mixed", "multipart/related"]),
    ],
)
def test_files_arrive_as_they_were(files: list[AttachedFile], types: list[str], changes: dict[str, object]) -> None:
    """Whatever the bodies are: bytes, names, types and content ids, and the signature over all of it."""
    mail = signed(files, **changes)
    assert selectors(mail, records({(DOMAIN, "e1"): ED25519})) == ["e1"]
    message = email.message_from_bytes(mail, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects
    found = [part for part in message.walk() if part.is_multipart()]
    assert [part.get_content_type() for part in found if part.get_content_subtype() != "alternative"] == types
    leaves = {part.get_filename(): part for part in message.walk() if part.get_filename()}
    assert set(leaves) == {file.file_name for file in files}
    for file in files:
        part = leaves[file.file_name]
        assert part.get_content_type() == file.media_type
        assert part.get_payload(decode=True) == STORED[file.object]
        assert part["Content-ID"] == (f"<{file.content_id}>" if file.content_id else None)
        assert part.get_content_disposition() == ("inline" if file.content_id else "attachment")
    bodies = [part for part in message.walk() if part.get_content_maintype() == "text" and not part.get_filename()]
    assert len(bodies) == (1 if changes else 2)
    assert all(b"Acme" in part.get_payload(decode=True) for part in bodies)  # type: ignore[operator]


def test_further_header_fields_are_written_and_signed() -> None:
    """Encoded where they are not ASCII."""
    mail = signed([], headers={"X-Shop": "Grüße", "Importance": "low"})
    message = email.message_from_bytes(mail, policy=default)
    assert message["X-Shop"] == "Grüße"
    assert message["Importance"] == "low"
    assert selectors(mail, records({(DOMAIN, "e1"): ED25519})) == ["e1"]
    signature = b"".join(mail.partition(b"\r\nFrom:")[0].split())
    assert b":x-shop:importance:" in signature


def test_a_file_that_is_another_one_is_not_sent() -> None:
    """What was frozen is what goes out."""
    what = content(attachments=[LOGO.model_dump()])
    with pytest.raises(CompileError, match="not what was attached"):
        compile_content(
            what,
            mailing="m1",
            public_url=PUBLIC,
            signer=SIGNER,
            tracking="person",
            domain=DOMAIN,
            files={LOGO.object: b"other"},
        )
