"""ARCHITECTURE.md names a module and a test for each guarantee: here it is held to that."""

import re
from pathlib import Path

import pytest

from deploy.streams import STREAMS

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "ARCHITECTURE.md").read_text()

ROWS = {
    number: [re.findall(r"`([^`]+)`", cell) for cell in cells.split("|")]
    for number, cells in re.findall(r"^\| (G\d+) \| [^|]+ \| ([^|]+\|[^|]+) \|$", PAGE, re.MULTILINE)
}


def test_the_guarantees_are_numbered_without_a_gap() -> None:
    """G1 to the last one, in order, each with a module and a test."""
    assert list(ROWS) == [f"G{number}" for number in range(1, len(ROWS) + 1)]
    assert len(ROWS) >= 12
    assert all(modules and tests for modules, tests in ROWS.values())


@pytest.mark.parametrize("number", ROWS)
def test_a_guarantee_is_proved_by_tests_that_exist(number: str) -> None:
    """Each test is named by its file and function."""
    for name in ROWS[number][1]:
        path, _, function = name.partition("::")
        assert (ROOT / path).is_file(), path
        assert re.search(rf"^(async )?def {function}\(", (ROOT / path).read_text(), re.MULTILINE), name


def test_table_and_docstrings_name_the_same_guarantees() -> None:
    """Who holds a guarantee says so, and nobody claims one that the table does not give it."""
    claimed = {
        (number, str(path.relative_to(ROOT)))
        for folder in ("shared", "services")
        for path in (ROOT / folder).rglob("*.py")
        for number in re.findall(r"\bG\d+\b", path.read_text())
    }
    assert claimed == {(number, module) for number, (modules, _) in ROWS.items() for module in modules}


def test_every_stream_is_in_the_table() -> None:
    """The table of streams is that of deploy/streams.py."""
    assert set(re.findall(r"^\| `([A-Z_]+)` \|", PAGE, re.MULTILINE)) == {stream.name for stream in STREAMS}
