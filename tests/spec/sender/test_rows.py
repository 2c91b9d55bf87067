"""Rows of a payload: read when they are asked for, believed when they fit their digest, let go and read again."""

from hashlib import sha256

import orjson
import pytest

from services.sender.chunks.rows import Rows
from shared.contracts.sending import PAYLOAD_DIGEST_BYTES

ANN = orjson.dumps({"contact": "c1", "address": "ann@example.com", "name": "Ann", "address_key": "k", "lists": ["l"]})


def rows(*lines: bytes) -> Rows:
    """Return rows whose digests fit."""
    digests = b"".join(sha256(line).digest()[:PAYLOAD_DIGEST_BYTES] for line in lines)
    return Rows(b"\n".join(lines), digests)


def test_a_row_that_fits_its_digest_may_be_sent() -> None:
    """It can be asked for again after it was let go."""
    found = rows(ANN, ANN)
    assert len(found) == 2
    first = found[1]
    assert (first.address, first.fault) == ("ann@example.com", "")
    found.drop([1, 0])
    assert found[1] == first


@pytest.mark.parametrize("line", [b"no row", b"", b"[1]", b'"text"', b"{}", b"null"])
def test_what_is_no_row_is_not_sent(line: bytes) -> None:
    """Whatever stands there, with whatever digest: that recipient has a fault, the one beside it none."""
    found = rows(line, ANN)
    assert found[0].fault
    assert not found[1].fault


def test_an_altered_row_and_an_erased_one_are_not_sent() -> None:
    """Digests are those of the plan; an erased contact left a blank row."""
    whole = rows(ANN, ANN)
    altered = Rows(b"\n".join([ANN.replace(b"ann@", b"eve@"), b'{"contact":""}']), whole._digests)
    assert altered[0].fault == "payload differs from its digest"
    assert altered[1].fault == "erased"
