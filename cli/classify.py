"""`posthaste classify`: what mails that came back say, a JSON object a line. It asks no service and changes nothing."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from services.tracker.feedback.mime import MAX_BYTES
from services.tracker.feedback.reading import read
from services.tracker.feedback.report import Report

STANDARD_INPUT = "-"
UNREADABLE = 2
"""Exit code where a path could not be read; what could be read is printed all the same."""

_Paths = Annotated[
    list[str],
    typer.Argument(metavar="PATH", help="Mail files, folders of them (all below), `-` for standard input."),
]


def classify(paths: _Paths) -> None:
    """Say what mails that came back mean: bounces, delays, complaints, automatic answers, replies.

    One JSON object a line: `file`, `kind` (bounce, delayed, complaint, auto-reply, reply, delivered, other) and
    `recipients`, each with address, status, reply_code, reason, scope and permanent. A folder stands for every file
    below it but hidden ones, .json and .md; files that are named are read whatever they are called.

    Nothing is suppressed or counted by this command. Exit code 2 when a path could not be read.

    Example: `posthaste classify bounces/ | jq -r 'select(.kind == "bounce") | .recipients[].reason'`
    """
    complaints: list[str] = []
    mails = list(files(paths, complaints))
    notes = Console(stderr=True, highlight=False)
    shown = Progress(
        TextColumn("reading"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=notes,
        transient=True,
        disable=not notes.is_terminal,
    )
    try:
        with shown:
            for name in shown.track(mails):
                if (raw := _bytes(name, complaints)) is not None:
                    said = line(name, _read(name, raw, complaints))
                    sys.stdout.buffer.write(orjson.dumps(said, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:  # the reader of our output had enough: so have we
        raise typer.Exit(0) from error
    for complaint in complaints:
        notes.print(complaint, style="red", soft_wrap=True, markup=False)
    if complaints:
        raise typer.Exit(UNREADABLE)


def _read(name: str, raw: bytes, complaints: list[str]) -> Report:
    try:
        return read(raw)
    except Exception as error:  # noqa: BLE001 - a fault of ours: it is told, and the other mails are read
        complaints.append(f"{name}: could not be understood ({type(error).__name__}); please report it")
        return Report("other")


def line(name: str, report: Report) -> dict[str, Any]:
    """Return what is printed for one mail."""
    shown: dict[str, Any] = {"file": name, "kind": report.kind}
    if report.feedback_type:
        shown["feedback_type"] = report.feedback_type
    shown["recipients"] = [
        {
            "address": each.address,
            "status": each.status,
            "reply_code": each.reply_code,
            "reason": each.reason,
            "scope": each.scope,
            "permanent": each.permanent,
        }
        for each in report.recipients
    ]
    return shown


def files(paths: list[str], complaints: list[str]) -> Iterator[str]:
    """Yield the files that are meant; what is not there is complained of."""
    for path in paths:
        if path == STANDARD_INPUT:
            yield path
            continue
        place = Path(path)
        try:
            if place.is_dir():
                inside = sorted(
                    each for each in place.rglob("*") if each.is_file() and _is_mail(each.relative_to(place))
                )
                yield from map(str, inside)
                if not inside:
                    complaints.append(f"{path}: no mails in this folder")
            elif place.exists():
                yield path
            else:
                complaints.append(f"{path}: no such file or folder")
        except OSError as error:  # a folder that may not be entered: the others are read
            complaints.append(f"{path}: {error.strerror or error}")


def _is_mail(place: Path) -> bool:
    named = all(not part.startswith(".") for part in place.parts)
    return named and place.suffix.lower() not in (".json", ".md")


def _bytes(name: str, complaints: list[str]) -> bytes | None:
    """Return the beginning of a mail, None where it cannot be read."""
    try:
        if name == STANDARD_INPUT:
            return sys.stdin.buffer.read(MAX_BYTES)
        with Path(name).open("rb") as file:
            return file.read(MAX_BYTES)
    except OSError as error:  # gone or forbidden: the others are read
        complaints.append(f"{name}: {error.strerror or error}")
        return None
