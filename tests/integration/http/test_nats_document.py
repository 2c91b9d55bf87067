"""The AsyncAPI document is true of the running services; the page that shows the documents needs nothing else."""

import asyncio
import json
import re
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from shared.contracts import asyncapi, commands
from shared.contracts.api import ENDPOINTS
from shared.contracts.commands import Command
from shared.contracts.examples import EXAMPLES
from shared.messaging.client import Client
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.integration.http.conftest import House

ROOT = Path(__file__).parents[3]
DOCUMENT = json.loads((ROOT / asyncapi.PLACE).read_text())  # tests/spec/test_asyncapi.py holds it to the contracts
LAST = (commands.DeleteMailing, commands.CancelMailing)
"""After these little is left to ask of a mailing."""


def subscriptions(server: NatsServer) -> set[tuple[str, str]]:
    """Return who listens on what in which queue, as the server knows it."""
    url = f"http://127.0.0.1:{server.http_port}/connz?subs=detail"
    with urllib.request.urlopen(url, timeout=5) as answer:
        connections = json.load(answer)["connections"]
    found = {
        (each["subject"], each.get("qgroup", "")) for one in connections for each in one["subscriptions_list_detail"]
    }
    return {(subject, queue) for subject, queue in found if subject.startswith(("cmd.", "query."))}


async def test_every_channel_has_its_queue_and_there_is_no_other(house: House, log_streams: NatsServer) -> None:
    """Exactly the commands and queries of the document are listened to, by the service it names."""
    assert house.running
    wanted = set()
    for operation in DOCUMENT["operations"].values():
        queue = operation.get("bindings", {}).get("nats", {}).get("queue")
        if queue:
            channel = DOCUMENT["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
            wanted.add((channel["address"].replace("{principal}", "*"), queue))
    assert len(wanted) == len(ENDPOINTS)
    assert await asyncio.to_thread(subscriptions, log_streams) == wanted


async def test_every_answer_fits_the_document(house: House) -> None:
    """Whether done or refused, to the example of each request, asked about a mailing that there is."""
    mailing = await house.draft()
    client = Client(house.nc, "operator")
    known = (await client.query(commands.Mailings())).data["mailings"][0]
    done: set[str] = set()
    for endpoint in sorted(ENDPOINTS, key=lambda each: each.request in LAST):
        data = EXAMPLES[endpoint.request]
        data = data | {name: known[name] for name in ("mailing", "campaign", "account") if name in data}
        request = endpoint.request.model_validate(data)
        asked = client.command(request) if isinstance(request, Command) else client.query(request)
        answer = (await asked).model_dump(mode="json")
        name = endpoint.name.replace(".", "_")
        payload = DOCUMENT["components"]["messages"][f"{name}_answer"]["payload"]
        errors = list(Draft7Validator(payload | {"components": DOCUMENT["components"]}).iter_errors(answer))
        assert not errors, (endpoint.name, answer, [error.message for error in errors])
        if answer["ok"]:
            done.add(endpoint.name)
    assert mailing == known["mailing"]
    assert len(done) > len(ENDPOINTS) / 2, sorted({each.name for each in ENDPOINTS} - done)


async def test_the_feed_is_asked_for_page_by_page(house: House) -> None:
    """Each event once, behind the cursor; a cursor that was never given out is refused."""
    mailing = await house.draft()
    told: list[dict[str, Any]] = []
    cursor = ""

    async def drafted() -> bool:
        nonlocal cursor
        answer = await house.ask("reporting", "GET", "/v1/events", params={"after": cursor, "limit": "1"})
        assert answer.status_code == 200, answer.text
        data = answer.json()["data"]
        told.extend(data["events"])
        cursor = data["cursor"]
        imported = any(event["type"] == "contacts.changed/1" for event in told)
        return data["end"] and imported and any(event["data"].get("mailing") == mailing for event in told)

    await until(drafted, 15)
    ids = [event["id"] for event in told]
    assert len(set(ids)) == len(ids) >= 2
    assert {"contacts.changed/1", "mailing.changed/1"} <= {event["type"] for event in told}
    refused = await house.ask("reporting", "GET", "/v1/events", params={"after": "999999"})
    assert (refused.status_code, refused.json()["code"]) == (409, "cursor_lost")
    refused = await house.ask("reporting", "GET", "/v1/events", params={"after": "x"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


async def test_outcomes_are_asked_for_by_external_id(house: House) -> None:
    """Ids that the mailing does not have are named."""
    mailing = await house.draft()
    body = {"source": "crm", "ids": ["1", "2"]}
    answer = await house.ask("reporting", "POST", f"/v1/mailings/{mailing}/outcomes", json=body)
    assert answer.json()["data"] == {"rows": [], "unknown": ["1", "2"]}


class _Page(HTMLParser):
    """Gathers what a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a tag."""
        self.tags.add(tag)
        found = dict(attrs)
        self.ids |= {found["id"] or ""} if "id" in found else set()
        self.links |= {found[name] or "" for name in ("href", "src") if name in found}


async def test_the_page_shows_both_documents_offline(house: House) -> None:
    """Every operation is on it; it loads nothing, runs nothing, and its links lead somewhere."""
    answer = await house.ask("reporting", "GET", "/docs", token="")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = _Page(answer.text)
    assert not {"script", "img", "iframe", "link"} & page.tags
    for link in page.links:
        if link.startswith("#"):
            assert link[1:] in page.ids, link
        else:
            document = (await house.ask("reporting", "GET", link, token="")).json()
            assert "openapi" in document or "asyncapi" in document
    for operation in DOCUMENT["operations"].values():
        channel = DOCUMENT["channels"][operation["channel"]["$ref"].rpartition("/")[2]]
        assert re.search(rf"<code>(send to|hear on) {re.escape(channel['address'])}</code>", answer.text)
    for endpoint in ENDPOINTS:
        assert f"<code>{endpoint.method} /v1{endpoint.path}</code>" in answer.text
