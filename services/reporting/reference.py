"""The reference: one page that shows the OpenAPI documents and the AsyncAPI document, made on the server, no script.

It needs neither a network nor a permission: the documents hold no data. An operation is shown with its fields,
examples and answers; a model stands once and is linked to.
"""

import html
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from shared.contracts import asyncapi
from shared.messaging.http import document as openapi

Document = Mapping[str, Any]

_STYLE = """\
:root { color-scheme: light dark } body { font: 15px/1.5 system-ui, sans-serif; margin: 0 auto; max-width: 62rem;
padding: 1rem } code, pre { font: 13px/1.45 ui-monospace, monospace } pre { overflow-x: auto; padding: .6rem;
border: 1px solid #8886; border-radius: .4rem } table { border-collapse: collapse; width: 100% } td, th { text-align:
left; padding: .2rem .6rem .2rem 0; vertical-align: top; border-bottom: 1px solid #8883 } summary { cursor: pointer;
padding: .3rem 0 } summary code { font-weight: 600 } h2 { margin-top: 2.5rem } .tag { opacity: .7 }
nav a { margin-right: 1rem } :target { background: #fd03 }
"""
_METHODS = ("get", "post", "put", "delete")


@cache
def page() -> str:
    """Return the page as HTML."""
    parts = [("planner", openapi.of("planner")), ("reporting", openapi.of("reporting"))]
    body = [
        "<h1>Posthaste: interfaces</h1>",
        '<nav><a href="#http-planner">HTTP: planner</a><a href="#http-reporting">HTTP: reporting</a>',
        '<a href="#nats">NATS</a>',
        *(
            f'<a href="/docs/{name}.json">{name}.json</a>'
            for name in ("openapi-planner", "openapi-reporting", "asyncapi")
        ),
        "</nav>",
    ]
    for service, document in parts:
        body += _http(service, document)
    body += _nats(asyncapi.document())
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Posthaste: interfaces</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>{''.join(body)}</body></html>"
    )


def _http(service: str, document: Document) -> Iterator[str]:
    yield f'<h2 id="http-{service}">HTTP: {service}</h2>{_text(document["info"].get("description", ""))}'
    for path, operations in document["paths"].items():
        for method in (name for name in _METHODS if name in operations):
            operation = operations[method]
            answers = operation["responses"]
            yield _opened(f"{method.upper()} {path}", operation, operation.get("x-permission"))
            yield _text(operation.get("description", ""))
            yield _parameters(document, operation.get("parameters", []))
            yield from _bodies(document, "Body", operation.get("requestBody", {}))
            for status, answer in answers.items():
                found = _found(document, answer)
                yield f"<p><b>{_safe(status)}</b> {_safe(found.get('description', ''))}</p>"
                if status == "200":
                    yield from _bodies(document, "Answer", found)
            yield "</details>"
    yield from _models(document)


def _parameters(document: Document, parameters: list[Any]) -> str:
    if not parameters:
        return ""
    rows = [
        f"<tr><td><code>{_safe(each['name'])}</code>{' *' if each.get('required') else ''}</td>"
        f"<td>{_safe(each['in'])}</td><td>{_kind(document, each['schema'])}</td>"
        f"<td>{_safe(each.get('description', ''))}</td></tr>"
        for each in parameters
    ]
    return f"<table><tr><th>Parameter</th><th>In</th><th>Type</th><th></th></tr>{''.join(rows)}</table>"


def _bodies(document: Document, title: str, holder: Mapping[str, Any]) -> Iterator[str]:
    for kind, content in holder.get("content", {}).items():
        yield f"<p>{title} <span class=tag>{_safe(kind)}</span></p>"
        yield _schema(document, content.get("schema", {}))


def _nats(document: Document) -> Iterator[str]:
    yield f'<h2 id="nats">NATS</h2>{_text(document["info"]["description"])}'
    for server in document["servers"].values():
        address = f"{server['protocol']}://{server['host']}"
        yield f"<p><code>{_safe(address)}</code> {_safe(server['description'])}</p>"
    for operation in document["operations"].values():
        channel = _found(document, operation["channel"])
        verb = "send to" if operation["action"] == "receive" else "hear on"
        yield _opened(f"{verb} {channel['address']}", operation, operation["x-permission"])
        yield _text(operation.get("description", "") or channel.get("description", ""))
        for reference in operation["messages"]:
            message = _found(document, reference)
            kind = message.get("contentType", "application/json")
            yield f"<p>{_safe(message['title'])} <span class=tag>{_safe(kind)}</span></p>"
            yield _schema(document, message["payload"])
            for example in message.get("examples", []):
                yield f"<pre>{_safe(json.dumps(example['payload'], indent=2, ensure_ascii=False))}</pre>"
        for reference in operation.get("reply", {}).get("messages", []):
            yield "<p>Answer</p>" + _schema(document, _found(document, reference)["payload"])
        yield "</details>"
    yield from _models(document)


def _opened(name: str, operation: Mapping[str, Any], permission: object) -> str:
    needs = f" <span class=tag>needs {_safe(permission)}</span>" if permission else ""
    return f"<details><summary><code>{_safe(name)}</code> {_safe(operation.get('summary', ''))}{needs}</summary>"


def _models(document: Document) -> Iterator[str]:
    """Show each model once, where references lead."""
    yield "<h3>Models</h3>"
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="{_anchor(document, name)}"><summary><code>{_safe(name)}</code></summary>'
        yield _text(schema.get("description", "")) + _schema(document, schema) + "</details>"


def _schema(document: Document, schema: Mapping[str, Any]) -> str:
    """Return the fields of an object as a table, anything else as its type."""
    properties = schema.get("properties")
    if not properties:
        return f"<p>{_kind(document, schema)}</p>"
    required = schema.get("required", ())
    rows = [
        f"<tr><td><code>{_safe(name)}</code>{' *' if name in required else ''}</td><td>{_kind(document, each)}</td>"
        f"<td>{_safe(each.get('description', ''))}</td></tr>"
        for name, each in properties.items()
    ]
    return f"<table><tr><th>Field</th><th>Type</th><th></th></tr>{''.join(rows)}</table>"


def _kind(document: Document, schema: Mapping[str, Any]) -> str:
    """Return what a value is, in a few words; HTML."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f'<a href="#{_anchor(document, name)}">{_safe(name)}</a>'
    for joined, word in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if joined in schema:
            return word.join(_kind(document, each) for each in schema[joined])
    if "const" in schema:
        return f"<code>{_safe(json.dumps(schema['const']))}</code>"
    if "enum" in schema:
        return ", ".join(f"<code>{_safe(each)}</code>" for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    if schema.get("properties"):
        return _schema(document, schema)
    limits = [
        f"{word} {_safe(schema[name])}"
        for name, word in (
            *(("format", "as"), ("pattern", "like"), ("minimum", "from"), ("maximum", "to")),
            *(("minLength", "at least"), ("maxLength", "at most"), ("default", "else")),
        )
        if schema.get(name) not in (None, "", [], {})
    ]
    return _safe(schema.get("type", "anything")) + (f" <span class=tag>{', '.join(limits)}</span>" if limits else "")


def _anchor(document: Document, name: str) -> str:
    kind = "nats" if "asyncapi" in document else document["info"]["title"].split()[-1].lower()
    return _safe(f"{kind}-{name}")


def _found(document: Document, node: Mapping[str, Any]) -> Mapping[str, Any]:
    while reference := node.get("$ref"):
        node = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]
    return node


def _text(text: str) -> str:
    return "".join(f"<p>{_safe(part)}</p>" for part in text.split("\n\n") if part.strip())


def _safe(value: object) -> str:
    return html.escape(str(value))
