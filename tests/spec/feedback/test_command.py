"""`posthaste classify`: a JSON object a line for each mail, whatever the paths are."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import program
from tests.spec.feedback import mails


def _run(*paths: object, given: bytes = b"") -> Result:
    return CliRunner().invoke(program("classify"), ["classify", *map(str, paths)], input=given)


def _lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with two mails, one of them further down, and things that are no mails."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/a.eml").write_text(mails.STANDARD["delayed"][0])
    (tmp_path / "b").write_text(mails.STANDARD["postfix, no such user"][0])
    (tmp_path / "verdicts.json").write_text("{}")
    (tmp_path / ".hidden").write_text("no mail")
    return tmp_path


def test_a_line_has_what_is_promised(folder: Path) -> None:
    """File, kind, and of each recipient the six things that are to be known."""
    result = _run(folder / "b")
    assert result.exit_code == 0
    assert _lines(result) == [
        {
            "file": str(folder / "b"),
            "kind": "bounce",
            "recipients": [
                {
                    "address": "ann@example.com",
                    "status": "5.1.1",
                    "reply_code": "550",
                    "reason": "user-unknown",
                    "scope": "address",
                    "permanent": True,
                }
            ],
        }
    ]


def test_a_folder_stands_for_the_mails_below_it(folder: Path) -> None:
    """In an order that does not change; hidden files and JSON are left out."""
    assert [line["file"] for line in _lines(_run(folder))] == [str(folder / "b"), str(folder / "deep/a.eml")]


def test_standard_input_is_a_mail() -> None:
    """So it stands at the end of a pipe."""
    (line,) = _lines(_run("-", given=mails.COMPLAINTS["abuse"][0].encode()))
    assert (line["file"], line["kind"], line["feedback_type"]) == ("-", "complaint", "abuse")


def test_a_path_that_is_not_there_is_named_and_the_others_are_read(folder: Path) -> None:
    """Exit code 2, and nothing is lost."""
    (folder / "none").mkdir()
    result = _run(folder / "missing", folder / "b", folder / "none")
    assert result.exit_code == 2
    assert len(_lines(result)) == 1
    assert "missing: no such file or folder" in result.stderr
    assert "none: no mails in this folder" in result.stderr


def test_what_is_no_mail_at_all_is_other(tmp_path: Path) -> None:
    """A picture, an empty file, half a mail: a line each, no crash."""
    (tmp_path / "picture").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "half").write_bytes(mails.STANDARD["delayed"][0].encode()[:300])
    result = _run(tmp_path)
    assert result.exit_code == 0
    assert len(_lines(result)) == 3
    assert {line["kind"] for line in _lines(result)} <= {"other", "bounce", "delayed"}
