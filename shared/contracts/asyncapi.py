"""The AsyncAPI 3 document of everything that goes over NATS, made from the contracts alone; docs/asyncapi.json is it.

It is written from the side of Posthaste: it receives commands, queries and contacts, and sends answers and the feed.
`x-` fields say what AsyncAPI has no word for: the permission of a request, the stream a channel is kept in, and what
inboxes a client has to use. `python -m shared.contracts.asyncapi` writes the file; a test holds it to the contracts.
"""

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.contracts import activities, feed, intake, subjects
from shared.contracts.answers import DATA, Nothing
from shared.contracts.api import ENDPOINTS, Endpoint
from shared.contracts.commands import Command, Refusal
from shared.contracts.examples import CONTACT, EXAMPLES, FEED_EXAMPLES, HAPPENED, LEFT

PLACE = Path("docs/asyncapi.json")
CLOUD_EVENT = "application/cloudevents+json"
CLOUD_EVENTS = "application/cloudevents-batch+json"

Document = dict[str, Any]

_SCHEMAS = "#/components/schemas/"
_ABOUT = """\
Commands and queries are requests of NATS and are answered on the reply subject; contacts are published on \
`in.contacts`, activities that are no mailings on `in.activities`; both are kept in the stream INBOX. What happens \
is read from the stream OUT.

A program connects as a NATS user and says its name as `{principal}` in every subject. It must take its inboxes below \
`_INBOX_<user>` (the option `inbox_prefix` of NATS clients), or it is answered where it may not listen.
"""
_PRINCIPAL = {"principal": {"description": "The NATS user that asks; the server lets nobody use another's name."}}


@cache
def text() -> str:
    """Return the document as it is committed and served."""
    return json.dumps(document(), indent=1, ensure_ascii=False) + "\n"


def document() -> Document:
    """Return the document."""
    schemas = _Schemas()
    messages: Document = {}
    channels: Document = {}
    operations: Document = {}
    answers: Document = {}
    for endpoint in ENDPOINTS:
        _add_request(endpoint, schemas, messages, channels, operations)
        answers |= {f"{_id(endpoint.name)}_answer": _message_ref(f"{_id(endpoint.name)}_answer")}
    channels["answers"] = {
        "address": None,
        "title": "Answers",
        "description": "The reply subject of the request.",
        "messages": answers,
    }
    _add_intake(schemas, messages, channels, operations)
    _add_feed(schemas, messages, channels, operations)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Posthaste on NATS", "version": "1", "description": _ABOUT},
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": messages,
            "schemas": schemas.found(),
            "securitySchemes": {
                "user": {
                    "type": "userPassword",
                    "description": "A NATS user, e.g. `producer`; the connection takes name and password.",
                }
            },
        },
    }


class _Schemas:
    """JSON schemas of models, gathered while the document is made; `ref` may be used before they are there."""

    def __init__(self) -> None:
        self._models: dict[str, type[BaseModel]] = {}

    def ref(self, model: type[BaseModel]) -> Document:
        """Return the reference to a model, whose schema will be in the document."""
        if self._models.setdefault(model.__name__, model) is not model:
            raise ValueError(f"two models are called {model.__name__}")
        return {"$ref": _SCHEMAS + model.__name__}

    def found(self) -> Document:
        """Return the schemas of all models and of those they hold."""
        wanted = [(model, "validation") for model in self._models.values()]
        _, found = models_json_schema(wanted, ref_template=_SCHEMAS + "{model}")  # type: ignore[arg-type]  # a literal
        schemas: Document = dict(sorted(found["$defs"].items()))
        return schemas


def _id(name: str) -> str:
    return name.replace(".", "_")


def _message_ref(name: str) -> Document:
    return {"$ref": f"#/components/messages/{name}"}


def _servers() -> Document:
    common: Document = {
        "protocol": "nats",
        "security": [{"$ref": "#/components/securitySchemes/user"}],
        "x-inbox-prefix": subjects.inbox_prefix("{user}"),
    }
    local = {"host": "127.0.0.1:4222", "description": "`posthaste up` on this machine, in clear."}
    cluster = {
        "host": "{host}:4222",
        "description": "A cluster; TLS (`tls://`), the handshake first or after the server's word.",
        "variables": {"host": {"description": "Any of the servers.", "default": "nats-1"}},
    }
    return {"local": local | common, "cluster": cluster | common}


def _add_request(
    endpoint: Endpoint, schemas: _Schemas, messages: Document, channels: Document, operations: Document
) -> None:
    name, request = _id(endpoint.name), endpoint.request
    is_command = issubclass(request, Command)
    summary, description = _told(request)
    fields = _request_fields(is_command=is_command) | {"data": schemas.ref(request)}
    wanted: Document = {"type": "object", "properties": fields, "additionalProperties": False}
    if schemas_required(request):
        wanted["required"] = ["data"]
    example: Document = {"key": "order-4711"} if is_command else {"at_least": 29}
    messages[name] = {
        "name": endpoint.name,
        "title": summary,
        "payload": wanted,
        "examples": [{"name": endpoint.name, "payload": example | {"data": EXAMPLES.get(request, {})}}],
    }
    messages[f"{name}_answer"] = {
        "name": f"{endpoint.name} answered",
        "title": f"Answer to {endpoint.name}",
        "payload": {"oneOf": [_done(schemas.ref(DATA.get(request, Nothing))), _refused(schemas.ref(Refusal))]},
    }
    address = (
        subjects.command("{principal}", endpoint.name) if is_command else subjects.query("{principal}", endpoint.name)
    )
    channels[name] = {
        "address": address,
        "title": endpoint.name,
        "parameters": _PRINCIPAL,
        "messages": {name: _message_ref(name)},
    }
    operations[name] = {
        "action": "receive",
        "title": endpoint.name,
        "summary": summary,
        "description": description,
        "channel": {"$ref": f"#/channels/{name}"},
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
        "reply": {
            "address": {"location": "$message.header#/reply", "description": "The reply subject of the NATS message."},
            "channel": {"$ref": "#/channels/answers"},
            "messages": [{"$ref": f"#/channels/answers/messages/{name}_answer"}],
        },
        "bindings": {"nats": {"queue": endpoint.service}},
        "tags": [{"name": "command" if is_command else "query"}],
        "x-permission": endpoint.permission,
    }


def schemas_required(model: type[BaseModel]) -> bool:
    """Tell whether a model has a field without which it cannot be."""
    return any(field.is_required() for field in model.model_fields.values())


def _request_fields(*, is_command: bool) -> Document:
    if is_command:
        key = "The same key and data are done once and get the same answer; other data are refused."
        return {"key": {"type": "string", "maxLength": 100, "description": key}}
    position = "`position` of an answer before, which this one has to include."
    return {"at_least": {"type": "integer", "minimum": 0, "description": position}}


def _done(data: Document) -> Document:
    position = {"type": "integer", "minimum": 0, "description": "Place in the log; give it as `at_least`."}
    properties = {"ok": {"const": True}, "position": position, "data": data, "refusal": {"type": "null"}}
    return {"type": "object", "title": "Done", "required": ["ok", "data"], "properties": properties}


def _refused(refusal: Document) -> Document:
    properties = {"ok": {"const": False}, "refusal": refusal}
    return {"type": "object", "title": "Refused", "required": ["ok", "refusal"], "properties": properties}


def _add_intake(schemas: _Schemas, messages: Document, channels: Document, operations: Document) -> None:
    told = {"contact_upserted": CONTACT, "contact_removed_from_list": LEFT}
    for name, example in told.items():
        model = intake.EVENTS[example["type"]]
        messages[name] = _event(name, *_told(model), schemas.ref(model), example)
    events = [schemas.ref(model) for model in intake.EVENTS.values()]
    batch = {"type": "array", "maxItems": intake.MOST_EVENTS, "items": {"oneOf": events}}
    about = f"Up to {intake.MOST_EVENTS} events in one message of at most 1 MB."
    messages["contacts"] = _event("contacts", "A batch of them", about, batch, [CONTACT, LEFT]) | {
        "contentType": CLOUD_EVENTS
    }
    names = [*told, "contacts"]
    channels["contacts"] = {
        "address": subjects.CONTACTS_IN,
        "title": "Contacts",
        "description": "What producers say of their contacts. Publish by JetStream, so that it is acknowledged. An "
        "event that does not fit is parked with the field at fault (query `contacts.problems`), the others count.",
        "messages": {name: _message_ref(name) for name in names},
        "x-stream": subjects.INBOX,
    }
    operations["contacts"] = _operation("receive", "contacts", names, "Take contacts in", "add_recipient")
    _add_activities(schemas, messages, channels, operations)
    messages["upload_part"] = {
        "name": "part",
        "title": "A part of a file",
        "contentType": "application/octet-stream",
        "headers": {
            "type": "object",
            "properties": {"Nats-Msg-Id": {"type": "string", "description": "`<upload>.<part>`"}},
        },
        "payload": {"type": "string", "format": "binary", "maxLength": 524_288},
    }
    channels["uploads"] = {
        "address": "in.upload.{upload}.{part}",
        "title": "Uploads",
        "description": "Files for `contacts.import`, in parts of at most 512 KiB.",
        "parameters": {
            "upload": {"description": "An id of your choice: 1 to 24 of `a-z0-9`."},
            "part": {"description": "Number of the part, from 0."},
        },
        "messages": {"upload_part": _message_ref("upload_part")},
        "x-stream": subjects.INBOX,
    }
    operations["uploads"] = _operation("receive", "uploads", ["upload_part"], "Take a file in", "add_recipient")


_FEED = {
    "mailing.changed/1": ("mailings", subjects.out_mailing("{mailing}")),
    "recipients.settled/1": ("recipients", subjects.out_recipient("{mailing}")),
    "engagement.recorded/1": ("engagement", subjects.out_engagement("{mailing}")),
    "mail.returned/1": ("returns", subjects.out_returned("{mailing}")),
    "consent.changed/1": ("consent_changes", subjects.OUT_CONSENT),
    "contacts.changed/1": ("contact_changes", subjects.OUT_CONTACT),
    "statuses.changed/1": ("status_changes", subjects.OUT_STATUSES),
}


def _add_activities(schemas: _Schemas, messages: Document, channels: Document, operations: Document) -> None:
    event = schemas.ref(activities.ActivityHappenedEvent)
    about = _told(activities.ActivityHappenedEvent)
    messages["activity_happened"] = _event("activity_happened", *about, event, HAPPENED)
    batch = {"type": "array", "maxItems": intake.MOST_EVENTS, "items": event}
    many = f"Up to {intake.MOST_EVENTS} events in one message of at most 1 MB."
    messages["activities"] = _event("activities", "A batch of them", many, batch, [HAPPENED]) | {
        "contentType": CLOUD_EVENTS
    }
    names = ["activity_happened", "activities"]
    channels["activities"] = {
        "address": subjects.ACTIVITIES_IN,
        "title": "Activities",
        "description": "What happened that is no mailing, and who took part: a source of mailings. Publish by "
        "JetStream; an event that does not fit is parked as on `in.contacts`.",
        "messages": {name: _message_ref(name) for name in names},
        "x-stream": subjects.INBOX,
    }
    operations["activities"] = _operation("receive", "activities", names, "Take activities in", "add_recipient")


def _add_feed(schemas: _Schemas, messages: Document, channels: Document, operations: Document) -> None:
    for wire_type, model in feed.FEED.items():
        name, address = _FEED[wire_type]
        summary, description = _told(model)
        payload = {
            "allOf": [
                schemas.ref(feed.FeedEvent),
                {"type": "object", "properties": {"type": {"const": wire_type}, "data": schemas.ref(model)}},
            ]
        }
        subject = address.replace("{mailing}", "dbhqj1pk0kha")
        example = {
            "specversion": "1.0",
            "id": "x1bcdfghjklmnpqrstvw.0",
            "source": "posthaste",
            "type": wire_type,
            "subject": subject,
            "time": "2026-11-27T12:10:00.000Z",
            "datacontenttype": "application/json",
            "data": FEED_EXAMPLES[wire_type],
        }
        messages[name] = _event(wire_type, summary, description, payload, example)
        channels[name] = {
            "address": address,
            "title": summary,
            "description": f"Kept for {feed.RETENTION_DAYS} days in {subjects.OUT}, whose sequence is the cursor: "
            "consume by JetStream from any sequence. An event may come again; its id is the same then.",
            "messages": {name: _message_ref(name)},
            "x-stream": subjects.OUT,
        }
        if "{mailing}" in address:
            channels[name]["parameters"] = {"mailing": {"description": "Id of the mailing."}}
        operations[name] = _operation("send", name, [name], summary, "view")


def _operation(action: str, channel: str, messages: Iterable[str], summary: str, permission: str) -> Document:
    return {
        "action": action,
        "title": summary,
        "summary": summary,
        "channel": {"$ref": f"#/channels/{channel}"},
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
        "tags": [{"name": "feed" if action == "send" else "intake"}],
        "x-permission": permission,
    }


def _event(name: str, title: str, description: str, payload: Document, example: object) -> Document:
    return {
        "name": name,
        "title": title,
        "description": description,
        "contentType": CLOUD_EVENT,
        "payload": payload,
        "examples": [{"name": "example", "payload": example}],
    }


def _told(model: type[BaseModel]) -> tuple[str, str]:
    """Return the first sentence of what a model says of itself, and all of it."""
    lines = list(_lines(model.__doc__ or ""))
    first = lines[0].partition(" -> ")[0].partition(". ")[0].rstrip(".:;")
    return first, "\n".join(lines).strip()


def _lines(doc: str) -> Iterator[str]:
    for line in doc.strip().splitlines():
        yield line.strip() if not line.startswith("        ") else line[4:]


if __name__ == "__main__":
    PLACE.write_text(text())
