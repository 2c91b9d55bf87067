"""All recipients of a mailing as a CSV file, page by page as the client takes it: memory holds one page.

A spreadsheet takes a cell that begins like a formula for one, so such a cell gets an apostrophe in front: addresses and
replies come from outside.
"""

import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from services.reporting import pages, queries
from services.reporting.pages import FILTERS
from shared.clock import now
from shared.contracts import api
from shared.contracts.answers.recipients import RecipientRow
from shared.contracts.commands import Refusal
from shared.contracts.principals import Principal
from shared.database import reading
from shared.messaging.http.gate import Gate
from shared.messaging.http.problems import problem

PAGE = 1000

_COLUMNS = tuple(RecipientRow.model_fields)
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")


class Export:
    """Gives recipients out."""

    def __init__(self, engine: AsyncEngine, gate: Gate) -> None:
        self._reading = reading(engine)
        self._gate = gate

    async def give(self, request: Request) -> Response:
        """Give out one mailing."""
        principal = await self._gate.admit(request, api.EXPORT.permission)
        if not isinstance(principal, Principal):
            return principal
        mailing, outcome = request.path_params["mailing"], request.query_params.get("outcome", "").lower()
        if outcome and outcome not in FILTERS:
            message = f"The outcome is one of {', '.join(FILTERS)}."
            return problem(Refusal(code="invalid", message=message, field="outcome"))
        async with self._reading.connect() as conn:
            known = await queries.status(conn, mailing, now().timestamp())
        if known is None:
            return problem(Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing"))
        headers = {"Content-Disposition": f'attachment; filename="{mailing}.csv"', "Cache-Control": "no-store"}
        return StreamingResponse(self._lines(mailing, outcome), headers=headers, media_type="text/csv; charset=utf-8")

    async def _lines(self, mailing: str, outcome: str) -> AsyncIterator[bytes]:
        yield _line(_COLUMNS)
        after = ""
        while True:
            async with self._reading.connect() as conn:
                page = await pages.recipients(conn, mailing, outcome, after, PAGE)
            if page["rows"]:
                yield b"".join(_line([row[name] for name in _COLUMNS]) for row in page["rows"])
            after = page["next"]
            if not after:
                return


def _line(cells: Sequence[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([safe(str(cell)) for cell in cells])
    return line.getvalue().encode()


def safe(cell: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell
