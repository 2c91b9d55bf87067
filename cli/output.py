"""What goes to the screen: tables for people, one JSON document for programs. Progress and errors go to standard error.

Where standard output is no terminal, tables are not folded to a width, so they can be searched and cut.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.errors import CliError, RefusedError

Row = Mapping[str, Any]

_WIDE = 400


class Output:
    """Output of one command, for people or as JSON."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.screen = Console(width=None if sys.stdout.isatty() else _WIDE, highlight=False)
        self.notes = Console(stderr=True, highlight=False, quiet=as_json)

    def json(self, data: object) -> None:
        """Print one JSON document."""
        sys.stdout.write(orjson.dumps(data, option=orjson.OPT_INDENT_2, default=str).decode() + "\n")

    def done(self, data: Mapping[str, Any], text: str) -> None:
        """Say what was done: `text` to people, `data` to programs."""
        if self.as_json:
            self.json(data)
        else:
            self.screen.print(text)

    def rows(self, data: Mapping[str, Any], key: str, columns: Mapping[str, str], *, empty: str = "Nothing.") -> None:
        """Show the rows under `key`; `columns` maps fields to titles, numbers stand to the right."""
        rows: Sequence[Row] = data.get(key, [])
        if self.as_json:
            self.json(data)
        elif not rows:
            self.screen.print(empty)
        else:
            self.screen.print(table(rows, columns))
            if data.get("next"):
                self.notes.print(f"[dim]There are more: --after {data['next']}[/dim]", soft_wrap=True)

    def note(self, text: str) -> None:
        """Say something on the side; programs do not hear it."""
        self.notes.print(text, soft_wrap=True)

    def error(self, error: CliError) -> None:
        """Say what is wrong: `code: message (field, line)`."""
        if self.as_json:
            body: dict[str, Any] = {"code": error.code, "message": str(error)}
            if isinstance(error, RefusedError):
                body = error.refusal.model_dump()
            self.json({"ok": False, "refusal": body})
            return
        place = ""
        if isinstance(error, RefusedError):
            parts = [error.refusal.field, f"line {error.refusal.line}" if error.refusal.line else ""]
            place = ", ".join(part for part in parts if part)
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"[bold red]{error.code}[/bold red]: {escape(str(error))}" + (f" ({escape(place)})" if place else "")
        )


def table(rows: Sequence[Row], columns: Mapping[str, str]) -> Table:
    """Return rows as a table."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for field, title in columns.items():
        numeric = all(isinstance(row.get(field, 0), int | float) for row in rows)
        shown.add_column(title, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(_plain(row.get(field, "")) for field in columns))
    return shown


def pairs(data: Mapping[str, Any]) -> Table:
    """Return fields one below the other, those without a value left out."""
    shown = Table(box=None, pad_edge=False, show_header=False)
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for title, value in data.items():
        if said := text(value):
            shown.add_row(title, said)
    return shown


def _plain(value: object) -> str:
    """Return a value as it stands in a row: numbers without separators, so they can be copied."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value)


def text(value: object) -> str:
    """Return a value as people write it, safe to print."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:,.1f}"
        case int():
            return f"{value:,}"
        case list() | tuple():
            return escape(", ".join(str(part) for part in value))
        case dict():
            return escape(", ".join(f"{key} {text(part)}" for key, part in value.items() if part not in (None, "")))
        case _:
            return escape(str(value))
