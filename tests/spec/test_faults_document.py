"""docs/faults.md names a test for every fault, and the tests are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs" / "faults.md").read_text()
TABLE = (ROOT / "tests" / "faults" / "test_fault_table.py").read_text()
ROWS = {int(row.split("|")[1]): row for row in DOCUMENT.splitlines() if re.match(r"\| \d+ \|", row)}


def test_every_fault_is_there_in_order() -> None:
    """One to fifty-four without a gap, what is done from outside in the order of its numbers."""
    assert list(ROWS)[:54] == list(range(1, 55))
    assert list(ROWS) == sorted(ROWS)


def test_every_test_that_is_named_exists() -> None:
    """A test that was renamed or dropped leaves no fault without one."""
    for number, row in ROWS.items():
        named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", row)
        assert named, f"fault {number} has no test"
        for path, name in named:
            text = (ROOT / path).read_text()
            assert not name or f"def {name}(" in text, f"fault {number}: no {name} in {path}"


def test_the_table_has_what_the_document_says_it_has() -> None:
    """A fault whose test is the table as a whole has rows there that begin with its number."""
    for number, row in ROWS.items():
        if "`tests/faults/test_fault_table.py`" in row:
            assert f'Row("{number:02} ' in TABLE, f"fault {number} has no row in the table"
