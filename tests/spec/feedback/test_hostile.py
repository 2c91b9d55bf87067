"""No input makes reading raise, and none makes it slow."""

import base64
import time
import zlib
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.tracker.feedback import mime
from services.tracker.feedback.mime import MAX_BYTES, MAX_DEPTH, MAX_PARTS
from services.tracker.feedback.reading import read
from tests.spec.feedback import mails

SEEDS = [text.encode() for text, _ in mails.ALL.values()]
TOKENS = [
    *(b"\n\n", b"\r\n", b'"', b"<", b"(", b"=?", b"?=", b"--=_b", b"@", b"\x00", b"\x1b$B", b";", b":", b"{", b"\xff"),
    *(b"Content-Type: multipart/mixed; boundary=", b'charset="idna"', b"=?utf-8?B?A?=", b"rfc822;"),
    *(b"Content-Transfer-Encoding: base64\n", b'{"notificationType":"mail"'),
    *(b"Content-Type: message/rfc822\n\n", b"Final-Recipient: ", b">>> RCPT To:<", b"550 5.1.1 "),
]  # fmt: skip

_edits = st.lists(
    st.tuples(
        st.sampled_from(["cut", "drop", "insert", "repeat", "splice"]),
        st.floats(0, 1),
        st.integers(0, 400),
        st.one_of(st.sampled_from(TOKENS), st.binary(max_size=30)),
    ),
    max_size=8,
)


def _edited(raw: bytes, edits: list[tuple[str, float, int, bytes]]) -> bytes:
    for how, where, size, token in edits:
        at = int(where * len(raw))
        if how == "cut":
            raw = raw[:at]
        elif how == "drop":
            raw = raw[:at] + raw[at + size :]
        elif how == "insert":
            raw = raw[:at] + token + raw[at:]
        elif how == "repeat":
            raw = raw[:at] + token * size + raw[at:]
        else:
            raw = raw[:at] + SEEDS[size % len(SEEDS)] + raw[at:]
    return raw


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.sampled_from(SEEDS), edits=_edits)
def test_a_damaged_mail_is_read(seed: bytes, edits: list[tuple[str, float, int, bytes]]) -> None:
    """Whatever is cut, dropped, inserted, repeated: a report comes out."""
    report = read(_edited(seed, edits))
    assert all(each.scope is not None and len(each.address) <= 400 for each in report.recipients)


@settings(max_examples=200, deadline=None)
@given(raw=st.binary(max_size=2_000))
def test_any_bytes_are_read(raw: bytes) -> None:
    """Also what is no mail at all."""
    assert read(raw).kind


@cache
def _zeros() -> bytes:
    return zlib.compress(bytes(50_000_000))


_HEAD = b"From: MAILER-DAEMON@x.example\nSubject: failure notice\n"
BOMBS = {
    "five megabytes": lambda: _HEAD + b"\n" + b"<ann@example.com>: 550 no\n" * 200_000,
    "one long line": lambda: _HEAD + b"\n" + b"a" * 5_000_000,
    "dashes": lambda: _HEAD + b"\n" + b"-" * 1_000_000,
    "angles": lambda: _HEAD + b"Content-Type: text/html\n\n" + b"<a" * 500_000,
    "styles": lambda: _HEAD + b"Content-Type: text/html\n\n" + b"<style>" * 200_000,
    "addresses": lambda: _HEAD + b"\n" + b"".join(b"u%d@example.com " % i for i in range(100_000)),
    "at signs": lambda: _HEAD + b"\n" + b"a@" * 500_000,
    "dots": lambda: _HEAD + b"\n" + b"a@" + b"b." * 500_000,
    "fields": lambda: _HEAD + b"".join(b"X-%d: y\n" % i for i in range(200_000)) + b"\nx",
    "encoded words": lambda: b"Subject: " + b"=?utf-8?Q?a?= " * 200_000 + b"\n\nx",
    "parts": lambda: _HEAD + b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * 200_000,
    "a zip": lambda: _HEAD
    + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: application/zip\n"
    + b"Content-Transfer-Encoding: base64\n\n"
    + base64.encodebytes(_zeros())
    + b"\n--b--\n",
    "a compressed status": lambda: _HEAD
    + b"Content-Type: multipart/report; boundary=b\n\n--b\nContent-Type: message/delivery-status\n"
    + b"Content-Encoding: deflate\nContent-Transfer-Encoding: x-gzip\n\n"
    + _zeros()
    + b"\n--b--\n",
    "a loop": lambda: b"".join(b"Received: from a.example by b.example; loop %d\n" % i for i in range(50_000))
    + _HEAD
    + b"X-Loop: us@example.com\n\n"
    + (b"Content-Type: message/rfc822\n\n" + _HEAD + b"\n") * 200,
    "depth": lambda: b"Content-Type: message/rfc822\n\n" * 20_000,
    "boundaries in each other": lambda: b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (i, i) for i in range(5_000)
    ),
    "recipients": lambda: mails.dsn("", (mails.block("a@example.com", "failed", "5.1.1") + "\n") * 50_000).encode(),
    "JSON": lambda: b'Subject: x\n\n{"notificationType":"Bounce","mail":' + b"[" * 500_000,
    "spaces": lambda: _HEAD + b"\n<ann@example.com>:" + b" " * 1_000_000 + b"x",
    "blank lines": lambda: _HEAD + b"\n<ann@example.com>:\n" + b"\n" * 1_000_000 + b"x",
    "folds": lambda: b"Subject: x" + b"\n " * 1_000_000,
    "codes": lambda: _HEAD + b"\n<ann@example.com>: " + b"550 5.1.1 " * 200_000,
    "words": lambda: _HEAD + b"\n<ann@example.com>: 550 " + b"user mailbox address recipient is full of not " * 50_000,
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_costs_no_more_than_a_large_mail(name: str) -> None:
    """Bytes, depth, parts, fields and texts are bounded, and no pattern goes wild."""
    bomb = BOMBS[name]()
    began = time.process_time()
    report = read(bomb)
    assert time.process_time() - began < 1.5
    assert len(report.recipients) <= 200


def test_limits_of_the_tree_hold() -> None:
    """Parts beyond the limit are not opened, depth neither, and what is beyond the bytes is not read."""
    tree = mime.parse(BOMBS["parts"]())
    assert sum(1 for _ in tree.walk()) <= MAX_PARTS + 1
    part, depth = mime.parse(BOMBS["depth"]()), 0
    while part.parts:
        part, depth = part.parts[0], depth + 1
    assert depth <= MAX_DEPTH
    assert len(mime.parse(BOMBS["one long line"]()).body) <= MAX_BYTES


@pytest.mark.parametrize(
    "charset", ["idna", "punycode", "unicode_escape", "zip", "rot13", "undefined", "no-such", "utf-16"]
)
def test_charsets_from_outside_are_text_encodings_or_ignored(charset: str) -> None:
    """None of Python's odd codecs is let near a mail."""
    text = mime.decoded("Grüße \\x41".encode(), f'text/plain; charset="{charset}"')
    assert isinstance(text, str)
    assert charset == "utf-16" or text == "Grüße \\x41"
