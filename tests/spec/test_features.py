"""Rows of features and the tests that cite them."""

from tests.features import ROOT, citations, main, proofs, rows

MODULE = """
import pytest
pytestmark = [pytest.mark.feature("B1")]

@pytest.mark.feature("G8", "G9")
@pytest.mark.alone
async def test_one(): ...

def test_two(): ...
"""


def test_citations_are_read_from_tests_and_modules() -> None:
    """A test cites for itself, `pytestmark` for a module."""
    assert sorted(citations(MODULE)) == [("B1", ""), ("G8", "test_one"), ("G9", "test_one")]


def test_every_built_row_has_a_test_that_cites_it() -> None:
    """And no test cites a row that nobody knows."""
    assert main() == 0


def test_the_document_has_all_rows() -> None:
    """Rows are numbered without gaps in each table."""
    found = rows((ROOT / "docs/features.md").read_text(encoding="utf-8"))
    for letter, most in (("G", 12), ("M", 6), ("P", 8), ("A", 15), ("F", 7), ("B", 28)):
        assert {f"{letter}{at}" for at in range(1, most + 1)} <= set(found)
    assert set(proofs(ROOT / "tests")) <= set(found)
