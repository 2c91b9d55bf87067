"""docs/asyncapi.json is the document of the contracts: valid, complete, with examples that are what they show."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from asyncapi3 import AsyncAPI3
from jsonschema import Draft7Validator
from pydantic import ValidationError

from shared.contracts import activities, asyncapi, feed, intake
from shared.contracts.api import ENDPOINTS, Endpoint
from shared.contracts.commands import Command
from shared.contracts.examples import EXAMPLES, FEED_EXAMPLES

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / asyncapi.PLACE).read_text())  # as the first test says
MESSAGES: dict[str, Any] = DOCUMENT["components"]["messages"]


def validator(payload: dict[str, Any]) -> Draft7Validator:
    """Return a validator for a schema of the document."""
    return Draft7Validator(payload | {"components": DOCUMENT["components"]})


def test_the_committed_document_is_that_of_the_contracts() -> None:
    """`python -m shared.contracts.asyncapi` was run after the last change."""
    assert (ROOT / asyncapi.PLACE).read_text() == asyncapi.text()


def test_it_is_an_asyncapi_document() -> None:
    """By the model of AsyncAPI 3.0.0; its own schemas are schemas, and all references lead somewhere."""
    with pytest.raises(ValidationError):
        AsyncAPI3.model_validate(DOCUMENT | {"channels": {"x": {"adress": "x"}}})
    AsyncAPI3.model_validate(DOCUMENT)
    for schema in DOCUMENT["components"]["schemas"].values():
        Draft7Validator.check_schema(schema)
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', asyncapi.text()):
        found = DOCUMENT
        for part in reference.split("/"):
            found = found[part]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_request_is_in_it(endpoint: Endpoint) -> None:
    """With its subject, the queue of the service that answers, its permission and its answer."""
    operation = DOCUMENT["operations"][endpoint.name.replace(".", "_")]
    channel = DOCUMENT["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
    kind = "cmd" if issubclass(endpoint.request, Command) else "query"
    assert channel["address"] == f"{kind}.{{principal}}.{endpoint.name}"
    assert operation["bindings"]["nats"]["queue"] == endpoint.service
    assert operation["x-permission"] == endpoint.permission
    assert operation["reply"]["channel"]["$ref"] == "#/channels/answers"


def test_nothing_else_is_in_it() -> None:
    """Requests, contacts, activities, uploads and the feed."""
    known = {endpoint.name.replace(".", "_") for endpoint in ENDPOINTS}
    feed_channels = {"mailings", "recipients", "engagement", "returns", "consent_changes", "contact_changes"}
    feed_channels |= {"status_changes"}
    assert set(DOCUMENT["operations"]) == known | {"contacts", "activities", "uploads"} | feed_channels
    assert set(DOCUMENT["channels"]) == set(DOCUMENT["operations"]) | {"answers"}


@pytest.mark.parametrize("name", MESSAGES)
def test_examples_are_what_they_show(name: str) -> None:
    """Each fits its schema."""
    for example in MESSAGES[name].get("examples", []):
        errors = list(validator(MESSAGES[name]["payload"]).iter_errors(example["payload"]))
        assert not errors, [(error.json_path, error.message) for error in errors]


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_every_request_has_an_example_that_its_model_reads(endpoint: Endpoint) -> None:
    """What the document shows would be taken."""
    endpoint.request.model_validate(EXAMPLES[endpoint.request])


def test_every_event_has_an_example() -> None:
    """Those of producers and those of the feed."""
    contacts = dict.fromkeys(("contact_upserted", "contact_removed_from_list", "contacts"), intake.read)
    happened = dict.fromkeys(("activity_happened", "activities"), activities.read)
    for name, read_it in (contacts | happened).items():
        (example,) = MESSAGES[name]["examples"]
        told, problems = read_it(json.dumps(example["payload"]).encode())
        assert told
        assert not problems
    for wire_type, model in feed.FEED.items():
        read = model.model_validate(FEED_EXAMPLES[wire_type])
        assert set(FEED_EXAMPLES[wire_type]) <= set(read.model_dump())


def test_what_does_not_fit_is_refused_by_its_schema() -> None:
    """A producer can check before it sends."""
    check = validator(MESSAGES["contact_upserted"]["payload"])
    good = MESSAGES["contact_upserted"]["examples"][0]["payload"]
    assert check.is_valid(good)
    for wrong in (
        {"id": ""},
        {"addresses": "a"},
        {"surname": "x"},
        {"version": -1},
        {"addresses": ["a@b.example"] * 4},
    ):
        assert not check.is_valid(good | {"data": good["data"] | wrong}), wrong
