"""What the process that parses a file says of it, and how contacts are packed."""

import hmac
import io
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.contacts.incoming import incoming
from services.planner.intake.imports import SLICE, next_size
from services.planner.intake.parser import BLOCK, framed, messages
from shared.address_keys import AddressKeys
from shared.addresses import canonical

PEPPER = b"pepper" * 5
DOMAINS = {"x.example": "large"}


def said(content: bytes, *, skip: int = 0, ended: bool = True) -> list[dict[str, Any]]:
    """Return what is said of a file that comes in small parts, through JSON as in life."""
    wanted = orjson.dumps({"options": ["", "", {}], "pepper": PEPPER.hex(), "skip": skip, "domains": DOMAINS})
    parts = [content[start : start + 1000] for start in range(0, len(content), 1000)]
    pipe = io.BytesIO(b"".join(map(framed, [wanted, *parts, *([b""] if ended else [])])))
    return [orjson.loads(orjson.dumps(each)) for each in messages(pipe)]


def test_rows_come_in_blocks_ready_for_the_table() -> None:
    """Address, key, whose mailbox, name, packed fields, size, which are empty; then a block of none."""
    block, end = said(b"email,name,city,zip\nA@X.example,Ann,Oslo,\nbad,,,\n")
    key = AddressKeys(PEPPER).of("a@x.example")
    assert block["rows"] == 2
    assert block["good"] == [["A@X.example", key, "large", "Ann", '{"city":"Oslo"}', 36, ["zip"]]]
    assert [row[:2] + row[3:] for row in block["bad"]] == [[3, "email", "bad"]]
    assert end["rows"] == 0


def test_an_import_goes_on_behind_the_rows_that_are_in() -> None:
    """Skipped rows are counted, rejected ones among them."""
    content = b"email\n" + b"".join(b"a%d@x.example\nbad\n" % at for at in range(BLOCK))
    rows = sum(each["rows"] for each in said(content))
    rest = said(content, skip=BLOCK + 1)
    assert rows == 2 * BLOCK
    assert [each["rows"] for each in rest] == [BLOCK - 1, 0]
    assert rest[0]["bad"][0][0] == BLOCK + 3  # its line


def test_what_came_before_a_broken_line_is_told_first() -> None:
    """Then the error, and nothing behind it."""
    block, error = said(b'email,city\na@x.example,Oslo\nb@x.example,"Rome\n')
    assert [row[0] for row in block["good"]] == ["a@x.example"]
    assert error["error"][0::2] == ["quote_unclosed", 3]


def test_a_pipe_that_breaks_off_is_not_the_end_of_a_file() -> None:
    """The process ends without saying that it read all."""
    with pytest.raises(SystemExit):
        said(b"email\na@x.example\n", ended=False)


@given(address=st.emails(), pepper=st.binary(max_size=64))
def test_an_address_key_is_an_hmac(address: str, pepper: bytes) -> None:
    """Of the canonical address, by SHA-256, its first 16 digits."""
    wanted = hmac.digest(pepper, canonical(address).encode(), "sha256").hex()[:16]
    assert AddressKeys(pepper).of(address) == wanted


def test_fields_are_packed_sorted_and_without_the_empty_ones() -> None:
    """The empty ones are named: a known contact loses them."""
    packed = incoming("a@x.example", "k", None, {"zip": "", "b": "2", "a": "1"})
    assert (packed.fields, list(packed.empty)) == ('{"a":"1","b":"2"}', ["zip"])
    assert incoming("a@x.example", "k", None, {}).fields == "{}"


def test_slices_grow_and_shrink_with_the_time_they_take() -> None:
    """Quick ones double up to the most there may be, a slow one shrinks at once, down to a block."""
    assert next_size(500, 0.0001) == 1_000
    assert next_size(SLICE, 0.0001) == SLICE
    assert next_size(2_000, 0.2) == 1_000
    assert next_size(2_000, 30.0) == BLOCK


def test_a_row_with_several_addresses_says_whose_they_are() -> None:
    """Each with its slot and the first address of its row, by their keys; a file without such columns says nothing."""
    block, _ = said(b"email,email3,person.email\na@x.example,b@x.example,c@x.example\nd@x.example,,\n")
    key = AddressKeys(PEPPER).of
    assert [row[0] for row in block["good"]] == ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]
    assert block["claims"] == [
        [key("a@x.example"), key(f"{name}@x.example"), slot] for name, slot in zip("abc", (1, 3, 4), strict=True)
    ]
    assert "claims" not in said(b"email\na@x.example\n")[0]
