"""What the document says of uploads, exports and live streams: what goes in, what comes out, how it is refused."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from shared.contracts import api
from shared.contracts.answers.base import Data
from shared.contracts.answers.mailings import CampaignRow, MailingRow
from shared.contracts.api import FLOWS, Flow

Document = dict[str, Any]

EVENT_STREAM = "text/event-stream"
CSV = "text/csv"


class Uploaded(Data):
    """What `contacts.import` and `import.preview` need."""

    upload: str
    parts: int
    bytes: int


MODELS: tuple[type[BaseModel], ...] = (Uploaded, MailingRow, CampaignRow)


@dataclass(frozen=True, slots=True)
class Described:
    """One flow in words; `statuses` are those beside the ones that all have."""

    summary: str
    description: str
    answer: Document
    statuses: Sequence[int]
    parameters: Sequence[Document] = ()
    body: Document | None = None


def _text(name: str, where: str, description: str) -> Document:
    return {"name": name, "in": where, "description": description, "schema": {"type": "string", "maxLength": 100}}


_RESUMED = _text("Last-Event-ID", "header", "The id of the last event that came: what changed since comes first.")
_STREAM = "`event: mailing` with the data of `mailing.status`; `id` is the position in the log. A comment comes every"
_LIVE = f"{_STREAM} 15 s. The stream ends after a while: come again with `Last-Event-ID`, as browsers do by themselves."

_DESCRIBED: dict[Flow, Described] = {
    api.UPLOAD: Described(
        "Upload a file",
        "The body is the file as it is, in whatever encoding. Its parts are kept for seven days, until it is imported.",
        {
            "description": "The upload",
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Uploaded"}}},
        },
        (408, 413),
        body={"required": True, "content": {CSV: {}, "application/octet-stream": {}}},
    ),
    api.EXPORT: Described(
        "All recipients as a CSV file",
        "The rows of `mailing.recipients` in UTF-8 with a header line; what a spreadsheet would take for a formula has "
        "an apostrophe in front.",
        {"description": "The file", "content": {CSV: {"schema": {"type": "string"}}}},
        (404,),
        parameters=(_text("outcome", "query", "As of `mailing.recipients`."),),
    ),
    api.LIVE_MAILING: Described(
        "One mailing, live",
        _LIVE,
        {"description": "The stream", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        (404,),
        parameters=(_RESUMED,),
    ),
    api.LIVE: Described(
        "All mailings and campaigns, live",
        f"{_LIVE} `event: campaign` has a row of `campaign.list`.",
        {"description": "The stream", "content": {EVENT_STREAM: {"schema": {"type": "string"}}}},
        (),
        parameters=(_RESUMED,),
    ),
}


def operations(service: str) -> Iterator[tuple[Flow, Document, Sequence[int]]]:
    """Yield the flows of a service, each with what is said of it and how it may be refused."""
    for flow in (flow for flow in FLOWS if flow.service == service):
        told = _DESCRIBED[flow]
        parts = re.findall(r"{(\w+)}", flow.path)
        operation: Document = {
            "summary": told.summary,
            "description": told.description,
            "parameters": [
                *({"name": part, "in": "path", "required": True, "schema": {"type": "string"}} for part in parts),
                *told.parameters,
            ],
        }
        if told.body is not None:
            operation["requestBody"] = told.body
        operation["responses"] = {"200": told.answer}
        yield flow, operation, told.statuses
