"""The OpenAPI 3.1 document of a service, made from the rows of `shared.contracts.api` and the models of contracts.

Operation ids are the names of requests, so the document, docs/commands.md and the subjects on NATS speak alike. Every
answer is described, refusals by the problem they come as.
"""

import inspect
import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared.contracts.answers import DATA
from shared.contracts.answers.base import Nothing
from shared.contracts.api import ENDPOINTS, RETIRED, VERSION, Endpoint
from shared.contracts.commands import Command, Query
from shared.messaging.http import flows
from shared.messaging.http.calls import AT_LEAST, JSON, KEY, LARGEST_POSITION, POSITION
from shared.messaging.http.gate import SESSION_COOKIE
from shared.messaging.http.problems import MEDIA_TYPE, STATUS, Problem

Document = dict[str, Any]

ALWAYS = (401, 403, 422, 429, 500, 503)
WITH_BODY = (408, 413, 415)

_REFERENCE = "#/components/schemas/{model}"
_REFERRED = re.compile(r"#/components/schemas/(\w+)")
_INTRODUCTION = """\
The same requests as on NATS (`cmd.>`, `query.>`), with the same answers and the same permissions.

A done request answers 200 with `position`, the place in the log that holds what it caused or what the answer is about:
give it as `at_least` with the next query, and the answer includes it. A refusal is a problem document (RFC 9457) whose
`code` is stable. A command with an `Idempotency-Key` is done once, however often it comes.
"""


@cache
def of(service: Literal["planner", "reporting"]) -> Document:
    """Return the document; made when it is asked for the first time."""
    endpoints = [endpoint for endpoint in ENDPOINTS if endpoint.service == service]
    requests = [endpoint.request for endpoint in endpoints]
    schemas = _schemas([*requests, *(_data(request) for request in requests), Problem, *flows.MODELS])
    paths: Document = {}
    for endpoint in endpoints:
        paths.setdefault(VERSION + endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, schemas)
    for flow, operation, more in flows.operations(service):
        answers = operation["responses"] | problems([*ALWAYS, *more])
        paths.setdefault(VERSION + flow.path, {})[flow.method.lower()] = operation | _common(
            flow.name, flow.permission, answers
        )
    answers = {f"Problem{status}": _problem(status) for status in sorted(set(STATUS.values()))}
    return {
        "openapi": "3.1.0",
        "info": {"title": f"Posthaste {service}", "version": "1", "description": _INTRODUCTION},
        "paths": paths,
        "components": {
            "schemas": _used(schemas, [paths, answers]),
            "responses": answers,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A token of a program or a session."},
                "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
            },
        },
        "security": [{"bearer": []}, {"session": []}],
    }


def _schemas(models: Iterable[type[BaseModel]]) -> Document:
    wanted = [(model, "validation") for model in dict.fromkeys(models)]
    _, definitions = models_json_schema(wanted, ref_template=_REFERENCE)  # type: ignore[arg-type]  # a literal
    found: Document = definitions.get("$defs", {})
    return found


def _data(request: type[Command | Query]) -> type[BaseModel]:
    return DATA.get(request, Nothing)


def _used(schemas: Document, parts: list[Document]) -> Document:
    """Return the schemas that are referred to, also by each other; those of requests stand in their bodies."""
    found: set[str] = set()
    while parts:
        names = {name for part in parts for name in _REFERRED.findall(repr(part))} - found
        found |= names
        parts = [schemas[name] for name in names]
    return {name: schema for name, schema in schemas.items() if name in found}


def _operation(endpoint: Endpoint, schemas: Document) -> Document:
    parts = re.findall(r"{(\w+)}", endpoint.path)
    schema = schemas[endpoint.request.__name__]
    properties: Document = schema.get("properties", {})
    summary, description = described(endpoint.request)
    operation: Document = {
        "operationId": endpoint.name,
        "summary": summary,
        "description": description,
        "parameters": [_path_part(name, properties[name]) for name in parts],
    }
    fields = [name for name in properties if name not in parts]
    statuses = [*ALWAYS, *((404,) if parts else ())]
    if endpoint.method in ("POST", "PUT"):
        operation["requestBody"] = _body(schema, parts)
        statuses += WITH_BODY
    else:
        operation["parameters"] += [_parameter(name, properties[name], schema) for name in fields]
    if issubclass(endpoint.request, Command):
        operation["parameters"].append(_key())
        statuses.append(409)
        statuses += [404] if not parts else []
    else:
        operation["parameters"] += _positions()
        statuses += [404, 409] if 404 not in statuses else [409]
    answers = {"200": _done(_data(endpoint.request))} | problems(statuses)
    return operation | _common(endpoint.name, endpoint.permission, answers)


def _common(name: str, permission: str | None, responses: Document) -> Document:
    common: Document = {"operationId": name, "responses": responses}
    if permission is None:
        common["security"] = []
    else:
        common["x-permission"] = permission
    return common | ({"deprecated": True} if name in RETIRED else {})


def described(model: type[BaseModel]) -> tuple[str, str]:
    """Return the first sentence of what a model says of itself, and all of it."""
    text = inspect.cleandoc(model.__doc__ or "")
    first = re.split(r"(?<=[.:;])\s|\s->", text, maxsplit=1)[0]
    return first.rstrip(".:;"), text


def _path_part(name: str, schema: Document) -> Document:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameter(name: str, schema: Document, model: Document) -> Document:
    return {"name": name, "in": "query", "required": name in model.get("required", []), "schema": schema}


def _key() -> Document:
    return {
        "name": KEY,
        "in": "header",
        "description": "The same key and body get the same answer and are done once; another body is refused.",
        "schema": {"type": "string", "maxLength": 100, "pattern": "^[ -~]*$"},
    }


def _positions() -> list[Document]:
    schema = {"type": "integer", "minimum": 0, "maximum": LARGEST_POSITION}
    description = "The position that the answer must include; as a parameter or as a header."
    return [
        {"name": "at_least", "in": "query", "description": description, "schema": schema},
        {"name": AT_LEAST, "in": "header", "description": description, "schema": schema},
    ]


def _body(schema: Document, parts: list[str]) -> Document:
    properties = {name: each for name, each in schema["properties"].items() if name not in parts}
    required = [name for name in schema.get("required", []) if name not in parts]
    own = {**schema, "properties": properties, "required": required}
    if not required:
        own.pop("required")
    own.pop("description", None)
    return {"required": bool(required), "content": {JSON: {"schema": own}}}


def _done(data: type[BaseModel]) -> Document:
    return {
        "description": described(data)[0],
        "headers": {POSITION: {"description": "As `position`.", "schema": {"type": "integer"}}},
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["position", "data"],
                    "properties": {
                        "position": {"type": "integer", "description": "Place in the log; 0 where there is none."},
                        "data": {"$ref": _REFERENCE.format(model=data.__name__)},
                    },
                }
            }
        },
    }


def problems(statuses: Iterable[int]) -> Document:
    """Return references to the answers that say no, by status."""
    return {str(status): {"$ref": f"#/components/responses/Problem{status}"} for status in sorted(set(statuses))}


def _problem(status: HTTPStatus) -> Document:
    codes = sorted(code for code, its in STATUS.items() if its == status)
    answer: Document = {
        "description": f"{status.phrase}: {', '.join(f'`{code}`' for code in codes)}",
        "content": {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="Problem")}}},
    }
    headers = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}
    if status in headers:
        kind = "integer" if headers[status] == "Retry-After" else "string"
        answer["headers"] = {headers[status]: {"schema": {"type": kind}}}
    return answer
