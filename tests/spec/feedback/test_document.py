"""docs/feedback.md says of each reason what the code says."""

import re
from pathlib import Path

from services.tracker.feedback.judging import rules
from services.tracker.feedback.reasons import REASONS

DOCUMENT = (Path(__file__).parents[3] / "docs/feedback.md").read_text()


def test_the_table_of_reasons_is_that_of_the_code() -> None:
    """Scope, for good or not, Sisimai's names, and the sentence."""
    rows = re.findall(r"^\| `([\w-]+)` \| (\w+) \| (yes|no) \| (.*?) \| (.*?) \|$", DOCUMENT, re.MULTILINE)
    assert {row[0]: row[1:] for row in rows} == {
        reason: (meaning.scope, "yes" if meaning.permanent else "no", _names(meaning.sisimai), meaning.sentence)
        for reason, meaning in REASONS.items()
    }


def test_the_table_has_an_order_and_no_row_twice() -> None:
    """It can be read beside the code."""
    assert re.findall(r"^\| `([\w-]+)` \| \w+ \| (?:yes|no)", DOCUMENT, re.MULTILINE) == list(REASONS)


def test_every_reason_of_a_bounce_can_be_reached() -> None:
    """A reason that no rule and no code leads to would be dead."""
    table = rules()
    reached = {rule.reason for rule in (*table.early, *table.late)} | {
        *table.by_status.values(),
        *table.by_code.values(),
    }
    assert set(REASONS) - reached == {"unclear", "unknown", "feedback", "vacation", "delivered"}


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)
