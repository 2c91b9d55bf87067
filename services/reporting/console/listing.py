"""Tables: semantic, in order, one cell per fact; on a narrow screen each row becomes a card with its labels."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from services.reporting.console.html import tag

NONE = "\N{EN DASH}"
"""Stands in a cell of which there is nothing to say."""
Cell = str | Callable[[], Any]
"""Text, or what draws the cell."""


@dataclass(frozen=True)
class Column:
    """One column; `kind` is "number" where figures stand under each other, "wide" where text may be long."""

    label: str
    kind: str = ""


class Listing:
    """A table that is filled anew as a whole, or row by row."""

    def __init__(self, caption: str, columns: Sequence[Column], classes: str = "") -> None:
        self._columns = columns
        with tag("div", "", f"table-wrap {classes}".strip()) as self.wrap, tag("table"):
            tag("caption", caption, "unseen")
            with tag("thead"), tag("tr"):
                for column in columns:
                    tag("th", column.label, column.kind, scope="col")
            self.body = tag("tbody")

    def fill(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Replace all rows."""
        self.body.clear()
        for row in rows:
            self.row(row)

    def row(self, cells: Sequence[Cell]) -> list[Any]:
        """Add a row, whose first cell is its heading; return what drew each cell."""
        drawn: list[Any] = []
        with self.body, tag("tr"):
            for place, (column, cell) in enumerate(zip(self._columns, cells, strict=True)):
                name, scope = ("th", "row") if place == 0 else ("td", None)
                text = cell if isinstance(cell, str) else ""
                with tag(
                    name,
                    text,
                    f"{column.kind}{' blank' if text == NONE else ''}".strip(),
                    data_label=column.label,
                    scope=scope,
                ):
                    drawn.append(cell() if callable(cell) else None)
        return drawn


def pager(more: Callable[[], None] | None, label: str = "Show more") -> None:
    """Draw the button that shows more, where there is more."""
    if more is not None:
        with tag("div", "", "pager"):
            tag("button", label, "button", type="button").on("click", more)
