"""The frozen audience as bytes, and who gets into it."""

import hashlib
import zlib
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.planner.audience.frozen_object import (
    PAYLOAD_BYTES,
    AudienceReader,
    AudienceWriter,
    End,
    Line,
    Recipient,
    Skipped,
)
from services.planner.audience.rules import judged

ROWS = st.lists(st.tuples(st.sampled_from(["gmail", "", "yahoo"]), st.integers(0, 60_000)), max_size=60)


def written(path: Path, rows: Sequence[tuple[str, int]], chunk_size: int) -> tuple[str, bytes]:
    """Write an audience with these providers and row sizes; return name and bytes."""
    path.unlink(missing_ok=True)
    writer = AudienceWriter(path, {"gmail": "gmail", "": "rest"}, chunk_size)
    writer.add((f"c{at}", ["l1"], provider, size) for at, (provider, size) in enumerate(rows))
    writer.add([Skipped("s1", ["l1"], "opted_out")])
    return writer.close(), path.read_bytes()


def lines(data: bytes, size: int) -> list[Line]:
    """Read an object that comes in pieces."""
    reader = AudienceReader()
    found = [line for start in range(0, len(data), size) for line in reader.feed(data[start : start + size])]
    assert reader.ended
    return found


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(ROWS, st.integers(1, 20), st.integers(1, 300))
def test_every_recipient_has_one_place_in_a_chunk_of_its_lane(
    tmp_path: Path, rows: list[tuple[str, int]], chunk_size: int, cut: int
) -> None:
    """Numbers run from 0, indexes from 0 in each chunk; no chunk has too many or too heavy recipients."""
    name, data = written(tmp_path / "a", rows, chunk_size)
    assert name == hashlib.sha256(data).hexdigest()
    assert written(tmp_path / "b", rows, chunk_size) == (name, data)
    *found, skipped, end = lines(data, cut)
    recipients = [line for line in found if isinstance(line, Recipient)]
    assert [line.contact for line in recipients] == [f"c{at}" for at in range(len(rows))]
    chunks: dict[int, list[tuple[Recipient, int]]] = {}
    for line, (_, size) in zip(recipients, rows, strict=True):
        chunks.setdefault(line.n, []).append((line, size))
    assert sorted(chunks) == list(range(len(chunks)))
    for chunk in chunks.values():
        assert [line.index for line, _ in chunk] == list(range(len(chunk)))
        assert len({line.lane for line, _ in chunk}) == 1
        assert len(chunk) <= chunk_size
        assert len(chunk) == 1 or sum(size for _, size in chunk) <= PAYLOAD_BYTES
    assert skipped == Skipped("s1", ["l1"], "opted_out")
    assert isinstance(end, End)
    assert (end.recipients, end.chunks, sum(end.lanes.values())) == (len(rows), len(chunks), len(chunks))


def test_an_object_without_its_end_is_not_whole() -> None:
    """A reader that saw no end says so."""
    reader = AudienceReader()
    assert len(list(reader.feed(zlib.compress(b'["c1","email",["l1"],"rest",0,0]\n')))) == 1
    assert not reader.ended


def test_one_mail_an_address_and_a_reason_for_each_contact_left_out() -> None:
    """Lists are joined over contacts with one address; those that were left are not named."""
    rows = [
        ("", "c0", "l1", "", "", 10, ""),
        ("k1", "c1", "l1", "a@x.example", "", 10, ""),
        ("k1", "c2", "l2", "A@x.example", "", 10, ""),
        ("k2", "c3", "l1", "b@x.example", "", 10, ""),
        ("k2", "c3", "l2", "b@x.example", "", 10, ""),
        ("k3", "c4", "l1", "c@x.example", "", 10, ""),
        ("k4", "c5", "l1", "d@x.example", "", 10, ""),
        ("k5", "c6", "l1", "e@x.example", "gmail", 10, ""),
        ("k6", "c7", "l1", "nonsense", "", 10, ""),
    ]
    blocks = {
        "k2": {"l1": "opted_out"},
        "k3": {"l1": "opted_out", "l2": "opted_out"},
        "k4": {"*": "suppressed"},
        "k5": {"l9": "opted_out"},
    }
    found = judged(rows, blocks)
    assert [(each.contact, each.reason) for each in found if isinstance(each, Skipped)] == [
        ("c0", "no_address"),
        ("c2", "duplicate"),
        ("c4", "opted_out"),
        ("c5", "suppressed"),
        ("c7", "invalid_address"),
    ]
    assert [each for each in found if not isinstance(each, Skipped)] == [
        ("c1", ["l1", "l2"], "", 10),
        ("c3", ["l2"], "", 10),
        ("c6", ["l1"], "gmail", 10),
    ]


def test_whoever_is_left_out_by_choice_makes_room_for_others_of_the_address() -> None:
    """The reason that was chosen comes first; the next contact of the address gets the mail."""
    rows = [
        ("", "c0", "l1", "", "", 10, "excluded"),
        ("k1", "c1", "l1", "a@x.example", "", 10, "removed"),
        ("k1", "c2", "l1,l2", "a@x.example", "", 10, ""),
        ("k2", "c3", "l1", "b@x.example", "", 10, "frequency_cap"),
    ]
    assert judged(rows, {"k1": {"l1": "opted_out"}, "k2": {"*": "suppressed"}}) == [
        Skipped("c0", [], "excluded"),
        Skipped("c1", [], "removed"),
        ("c2", ["l2"], "", 10),
        Skipped("c3", [], "frequency_cap"),
    ]
