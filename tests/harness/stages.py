"""One test run in two stages, counted as one: first in parallel without `alone`, then the `alone` tests serially.

pytest -n 2 -m "not alone" --stage-out=F     writes its counts to F
pytest -m alone --stage-in=F                 adds them, so that the closing line counts all tests

The second stage looks only into files that speak of `alone`: to collect all of them again would take as long as a test.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

_COUNTED = ("failed", "error", "passed", "skipped", "xfailed", "xpassed")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the two options."""
    group = parser.getgroup("stages")
    group.addoption("--stage-out", type=Path, help="write the counts of this run to a file")
    group.addoption("--stage-in", type=Path, help="add the counts of an earlier run to the closing line")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out files in which no test can be marked."""
    if config.getoption("--stage-in") is None or not collection_path.is_file():
        return None
    return True if "pytest.mark.alone" not in collection_path.read_text() else None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> Iterator[None]:  # noqa: ANN401 - untyped in pytest
    """Write or add counts, after everything else was said."""
    yield
    stats = terminalreporter.stats
    if out := config.getoption("--stage-out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps({outcome: len(stats.get(outcome, ())) for outcome in _COUNTED}))
    for outcome, count in _earlier(config).items():
        if count:
            stats.setdefault(outcome, []).extend(SimpleNamespace() for _ in range(count))
    if config.getoption("--stage-in"):
        stats.pop("deselected", None)  # they ran in the earlier stage


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a second stage that selects nothing end as the first one did."""
    if _earlier(session.config) and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = pytest.ExitCode.OK


def _earlier(config: pytest.Config) -> dict[str, int]:
    path = config.getoption("--stage-in")
    if path is None:
        return {}
    counts: dict[str, int] = json.loads(path.read_text())
    return counts
