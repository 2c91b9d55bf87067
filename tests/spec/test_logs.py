"""What a log line looks like, and what never stands in one."""

import json
import logging

import pytest

from shared import logs, metrics


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was logged."""
    return capsys.readouterr().err.splitlines()


@pytest.fixture(autouse=True)
def _restore() -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield None
    root.handlers[:] = handlers
    root.setLevel(level)


def test_a_text_line_has_its_fields(capsys: pytest.CaptureFixture[str]) -> None:
    """Fields stand as key=value behind the message, in one line."""
    logs.set_up("planner")
    logging.getLogger("x").info("planned\nmore", extra={"mailing": "m1", "why": "two words"})
    (line,) = lines(capsys)
    assert line.endswith('planner x: planned\\nmore mailing=m1 why="two words"')


def test_a_json_line_has_its_fields_and_trace(capsys: pytest.CaptureFixture[str]) -> None:
    """JSON lines carry the same fields; a traceback stays within the line."""
    logs.set_up("planner", style="json")
    try:
        raise RuntimeError("boom")
    except RuntimeError:
        logging.getLogger("x").exception("failed", extra={"n": 3})
    (line,) = lines(capsys)
    record = json.loads(line)
    assert (record["message"], record["n"], record["level"]) == ("failed", 3, "error")
    assert "RuntimeError: boom" in record["trace"]


@pytest.mark.parametrize("style", ["text", "json"])
def test_no_address_is_ever_logged(capsys: pytest.CaptureFixture[str], style: str) -> None:
    """Addresses in messages, fields and tracebacks are replaced."""
    logs.set_up("sender", style=style)
    try:
        raise ValueError("550 <anna.b+c@mail.example>: unknown")
    except ValueError:
        logging.getLogger("x").exception("to bob@example.com", extra={"rcpt": "o'neil@example.org"})
    (line,) = lines(capsys)
    assert "@" not in line
    assert "550 <<address>>: unknown" in line


def test_metric_names_and_labels_are_checked() -> None:
    """A name off the pattern and a label with a value for each subject are refused."""
    with pytest.raises(ValueError, match="not named"):
        metrics.counter("requests", "Requests")
    with pytest.raises(ValueError, match="mailing"):
        metrics.gauge("posthaste_pending_recipients", "Pending", ("mailing",))
