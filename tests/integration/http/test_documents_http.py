"""The OpenAPI documents: valid, complete, and true of the running services whatever is sent to them."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.contracts.answers import DATA
from shared.contracts.answers.base import Nothing
from shared.contracts.api import ENDPOINTS, FLOWS, VERSION
from shared.messaging.http import document
from tests.integration.http.conftest import House

CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)
SECONDS = 8
STREAMS = ("live", "mailing.live")


def _operations(service: str) -> dict[str, dict[str, Any]]:
    paths = document.of("planner" if service == "planner" else "reporting")["paths"]
    return {operation["operationId"]: operation for path in paths.values() for operation in path.values()}


@pytest.mark.parametrize("service", ["planner", "reporting"])
def test_every_endpoint_is_in_the_document(service: str) -> None:
    """By its name, with who may, what goes in, what comes out and every way to be refused."""
    made = document.of("planner" if service == "planner" else "reporting")
    operations = _operations(service)
    rows = [row for row in (*ENDPOINTS, *FLOWS) if row.service == service]
    assert set(operations) == {row.name for row in rows}
    for row in rows:
        operation = operations[row.name]
        assert VERSION + row.path in made["paths"]
        assert operation.get("x-permission") == row.permission
        assert {"200", "401", "403", "422", "429", "500", "503"} <= set(operation["responses"]), row.name
        assert operation["summary"], row.name
        assert operation["description"], row.name
    references = set(_references(made))
    for reference in references:
        _, _, kind, name = reference.split("/")
        assert name in made["components"][kind], reference
    schemas = {reference.rpartition("/")[2] for reference in references if "/schemas/" in reference}
    assert set(made["components"]["schemas"]) == schemas, "a schema that nothing refers to"


def _references(part: Any) -> list[str]:  # noqa: ANN401 - any JSON
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [found for value in part.values() for found in _references(value)]
    return [found for value in part for found in _references(value)] if isinstance(part, list) else []


def test_every_answer_has_a_model() -> None:
    """What `data` holds is documented for each request that answers with something."""
    silent = {endpoint.name for endpoint in ENDPOINTS if DATA.get(endpoint.request, Nothing) is Nothing}
    assert silent == {"session.close"}


@pytest.mark.parametrize("service", ["planner", "reporting"])
async def test_whatever_is_sent_the_answer_is_documented(house: House, service: str, tmp_path: Path) -> None:
    """Schemathesis, with a fixed seed: no server error, no status, type or field that the document does not have."""
    mailing = await house.draft()
    known = {"mailing": mailing, "seq": 1}
    config = "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in known.items())
    (tmp_path / "known.toml").write_text(f"[parameters]\n{config}")
    (tmp_path / "any.toml").write_text("")
    for name, seconds in (("any", SECONDS), ("known", SECONDS)):
        code, said = await _schemathesis(house, service, tmp_path / f"{name}.toml", seconds)
        assert code == 0, said


async def _schemathesis(house: House, service: str, config: Path, seconds: int) -> tuple[int, str]:
    exclude = [word for name in STREAMS for word in ("--exclude-operation-id", name)]
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(config)),
        *("run", f"{house.urls[service]}/openapi.json", "--header", f"Authorization: Bearer {house.token}"),
        *("--checks", CHECKS, "--phases", "coverage,fuzzing", "--max-time", str(seconds), "--max-examples", "10"),
        *("--seed", "1", "--generation-deterministic", "--no-shrink", "--no-color"),
        *("--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure", *exclude),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=config.parent,
    )
    said, _ = await process.communicate()
    return process.returncode or 0, said.decode()
