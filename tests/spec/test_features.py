"""Rows of features and the tests that cite them."""

import pytest

from tests.features import BOTH, ROOT, citations, main, problems, proofs, rows, ways

MODULE = """
import pytest
pytestmark = [pytest.mark.feature("B1")]

@pytest.mark.feature("G8", "G9")
@pytest.mark.alone
async def test_one(): ...

def test_two(): ...
"""


JOURNEY = """
async def test_by_both(shop: Marketer): await helped(shop); await shop.ran("mailing", "list")
async def test_by_http(shop: Marketer): await shop.completed(await shop.begun("c"))
async def test_by_command(posthaste: Posthaste): await posthaste("mailing", "list")
async def test_by_nats(system: System, shop: Marketer): await system.draft(shop.campaign); web.done("GET", "/lists")
async def test_met():
    async with asking(local) as both:
        async def inside(): return await both.posthaste("lists")
        await both.denied("GET", "/lists")
async def helped(somebody: BothWays): await again(somebody)
async def again(somebody: BothWays): await somebody.done("GET", "/lists"); await helped(somebody)
"""
HTTP, COMMAND_LINE = frozenset({"HTTP"}), frozenset({"command line"})


@pytest.mark.parametrize(
    ("test", "by"),
    [
        ("test_by_both", BOTH),
        ("test_by_http", HTTP),
        ("test_by_command", COMMAND_LINE),
        ("test_by_nats", frozenset()),
        ("test_met", BOTH),
        ("", BOTH),
    ],
)
def test_the_ways_of_a_journey_are_read_off_its_calls(test: str, by: frozenset[str]) -> None:
    """Of those who ask, through helpers of the module; a name that somebody else has, too, is no way."""
    assert ways(JOURNEY, test) == by


def test_citations_are_read_from_tests_and_modules() -> None:
    """A test cites for itself, `pytestmark` for a module."""
    assert sorted(citations(MODULE)) == [("B1", ""), ("G8", "test_one"), ("G9", "test_one")]


def test_every_built_row_has_a_test_that_cites_it() -> None:
    """A journey among them where it is what people do; and no test cites a row that nobody knows."""
    assert main() == 0


@pytest.mark.parametrize(
    ("row", "built", "tests", "wrong"),
    [
        ("P3", True, ["tests/journey/test_a.py::test_b", "tests/spec/test_c.py"], ""),
        ("P3", True, ["tests/spec/test_c.py", "tests/browser/test_d.py"], "P3 is what people do"),
        ("B13", True, ["tests/spec/test_c.py"], "B13 is what people do"),
        ("B1", True, ["tests/spec/test_c.py"], ""),
        ("P3", True, [], "P3 is built"),
        ("P3", False, ["tests/spec/test_c.py"], ""),
        ("P3", False, [], ""),
    ],
)
def test_a_row_that_is_not_proved_is_named(row: str, built: bool, tests: list[str], wrong: str) -> None:  # noqa: FBT001
    """What people do wants a journey, the rest any test, what is open nothing."""
    found = problems({row: ("words", built)}, {row: tests} if tests else {}, dict.fromkeys(tests, BOTH))
    assert [each.startswith(wrong) for each in found] == [True] * bool(wrong)


@pytest.mark.parametrize(
    ("row", "asked", "wrong"),
    [
        ("P3", [BOTH], []),
        ("P3", [HTTP, COMMAND_LINE], []),
        ("P3", [HTTP, HTTP], ["command line"]),
        ("B14", [COMMAND_LINE], ["HTTP"]),
        ("M1", [frozenset[str]()], ["HTTP", "command line"]),
        ("B1", [HTTP], []),
    ],
)
def test_journeys_of_what_people_do_ask_by_both_ways(row: str, asked: list[frozenset[str]], wrong: list[str]) -> None:
    """Between them, not each."""
    by = {f"tests/journey/test_a.py::test_{place}": each for place, each in enumerate(asked)}
    found = problems({row: ("words", True)}, {row: list(by)}, by)
    assert found == [f"{row} is what people do, and no journey that cites it asks by {way}" for way in wrong]


def test_a_test_that_cites_nothing_known_is_named() -> None:
    """Another row than there are."""
    assert problems({}, {"Z1": ["tests/spec/test_c.py"]}, {}) == [
        "Z1 is cited by tests/spec/test_c.py, and is no row here"
    ]


def test_the_document_has_all_rows() -> None:
    """Rows are numbered without gaps in each table."""
    found = rows((ROOT / "docs/features.md").read_text(encoding="utf-8"))
    for letter, most in (("G", 12), ("M", 6), ("P", 8), ("A", 15), ("F", 7), ("B", 28)):
        assert {f"{letter}{at}" for at in range(1, most + 1)} <= set(found)
    assert set(proofs(ROOT / "tests")) <= set(found)
