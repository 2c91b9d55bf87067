"""What an upload looks like when it is read so: its encoding, its columns, its first rows and what is wrong with them.

Pure: the parts of a file go in, an answer comes out. What would keep the file from being imported is `problem` of the
answer, with as much of the rest as could be read, so a person sees which column to map or which encoding to name.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

from services.planner.intake.csv_rows import (
    CsvError,
    CsvRecords,
    Header,
    Options,
    Reject,
    encoding_of,
    header_of,
    rows_of,
)

LONGEST_CELL = 200


def preview(parts: Iterable[bytes], options: Options, limit: int) -> dict[str, Any]:
    """Return the data of the answer (`shared.contracts.answers.ImportPreview`)."""
    seen: dict[str, Any] = {"encoding": "", "delimiter": "", "columns": [], "rows": [], "problem": None}
    pieces = iter(parts)
    head = next(pieces, b"")
    try:
        seen["encoding"] = encoding_of(head, options.encoding)
        records = CsvRecords(chain([head], pieces), options)
        seen["delimiter"] = records.delimiter
        seen["columns"] = [{"header": name, "field": ""} for name in records.names]
        header = _header(records, options, seen)
        for row in _rows(records, header):
            seen["rows"].append(row)
            if len(seen["rows"]) == limit:
                break
    except CsvError as error:  # it cannot be read on: what was read is shown
        seen["problem"] = _problem(error)
    return seen


def _header(records: CsvRecords, options: Options, seen: dict[str, Any]) -> Header | None:
    try:
        header = header_of(records.names, options.columns, options.kinds)
    except CsvError as error:  # the rows are shown without a verdict
        seen["problem"] = _problem(error)
        return None
    seen["columns"] = [
        {"header": name, "field": target} for name, target in zip(header.names, header.targets, strict=True)
    ]
    return header


def _rows(records: CsvRecords, header: Header | None) -> Iterator[dict[str, Any]]:
    for line, record in records:
        reject = record if isinstance(record, Reject) else None
        if header is not None and reject is None:
            judged = next(rows_of([(line, record)], header))
            reject = judged if isinstance(judged, Reject) else None
        cells = [] if isinstance(record, Reject) else [cell[:LONGEST_CELL] for cell in record]
        reason, column = (reject.reason, reject.column) if reject else ("", "")
        yield {"line": line, "cells": cells, "reason": reason, "column": column}


def _problem(error: CsvError) -> dict[str, Any]:
    return {"code": error.code, "message": str(error), "field": error.column, "line": error.line}
