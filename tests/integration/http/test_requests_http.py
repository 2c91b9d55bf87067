"""Commands and queries over HTTP: typed in, typed out, refused as problems, done once under a key."""

from typing import Any

import pytest

from shared.contracts import commands
from shared.tracing import Place
from tests.harness.spans import recorded
from tests.integration.http.conftest import House


async def test_a_command_and_its_query_are_answered_over_http(house: House) -> None:
    """What was done is in the answer of a query that asks for its position, on the other service too."""
    async with house.client() as client:
        mailing = await house.draft()
        paused = await client.command(commands.ScheduleMailing(mailing=mailing))
        assert paused.refusal is not None
        assert paused.refusal.code == "audience_missing"
        changed = await client.command(
            commands.ChangeRate.model_validate({"mailing": mailing, "limits": {"per_hour": 9}})
        )
        assert changed.data == {"mailing": mailing, "status": "planned"}
        found = await client.query(commands.Status(mailing=mailing), changed.position)
        assert found.data["limits"] == {"per_hour": 9, "seconds_between": None}
        assert found.position >= changed.position > 0


async def test_a_done_request_says_its_position(house: House) -> None:
    """In the body and as a header; nothing may keep the answer."""
    reply = await house.ask("planner", "POST", "/v1/campaigns", json={"name": "x", "lists": ["none"]})
    assert (reply.status_code, reply.json()["code"], reply.json()["field"]) == (422, "list_unknown", "lists")
    reply = await house.ask("reporting", "GET", "/v1/mailings")
    assert reply.status_code == 200
    assert reply.headers["X-Position"] == str(reply.json()["position"])
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.feature("B21")
async def test_the_same_key_is_the_same_command_and_another_body_is_refused(house: House) -> None:
    """Twice the same gives the same answer; one event stands in the log."""
    await house.draft()
    key = {"Idempotency-Key": "order 4711"}
    wanted = {"name": "once", "lists": ["readers"]}
    first = await house.ask("planner", "POST", "/v1/campaigns", json=wanted, headers=key)
    again = await house.ask("planner", "POST", "/v1/campaigns", json=wanted, headers=key)
    assert first.status_code == 200
    assert first.content == again.content
    other = await house.ask("planner", "POST", "/v1/campaigns", json=wanted | {"name": "twice"}, headers=key)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    async with house.client() as client:
        campaigns = (await client.query(commands.Campaigns(), first.json()["position"])).data["campaigns"]
    assert sorted(campaign["name"] for campaign in campaigns) == ["c", "once"]


async def test_a_caller_that_traces_finds_its_command(house: House) -> None:
    """`traceparent` is a header as everywhere: the command hangs below the caller's span."""
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    wanted = {"name": "x", "lists": ["none"]}
    with recorded() as spans:
        await house.ask("planner", "POST", "/v1/campaigns", json=wanted, headers=headers)
    theirs = [span for span in spans if span.parent is not None]
    assert [(span.name, span.parent, span.what) for span in theirs] == [
        ("campaign.open", Place(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331), {"outcome": "list_unknown"})
    ]


MISFITS: list[tuple[str, str, dict[str, Any], tuple[int, str, str]]] = [
    ("POST", "/campaigns", {"content": b"{", "headers": {"Content-Type": "application/json"}}, (422, "invalid", "")),
    ("POST", "/campaigns", {"json": [1]}, (422, "invalid", "")),
    ("POST", "/campaigns", {"json": {"name": "", "lists": ["a"]}}, (422, "invalid", "name")),
    ("POST", "/campaigns", {"content": b"name=x"}, (415, "media_type_unsupported", "")),
    ("POST", "/campaigns?name=x", {"json": {}}, (422, "invalid", "name")),
    ("PUT", "/mailings/m1/rate", {"json": {"mailing": "m2", "limits": {}}}, (422, "invalid", "mailing")),
    ("PUT", "/mailings/m1/rate", {"json": {"limits": {"per_hour": 0}}}, (422, "invalid", "limits.per_hour")),
    ("PUT", "/mailings/M%2F1/rate", {"json": {"limits": {}}}, (404, "not_found", "")),
    ("PUT", "/mailings/M_1/rate", {"json": {"limits": {}}}, (422, "invalid", "mailing")),
    ("GET", "/mailings/m1/audience?limit=0", {}, (422, "invalid", "limit")),
    ("GET", "/lists?at_least=-1", {}, (422, "invalid", "at_least")),
    ("GET", "/lists?what=1", {}, (422, "invalid", "what")),
    ("GET", "/imports/u1?upload=u2", {}, (422, "invalid", "upload")),
    ("GET", "/imports/u1", {}, (404, "import_unknown", "upload")),
    ("POST", "/mailings/m1/pause", {"headers": {"Idempotency-Key": "k" * 101}}, (422, "invalid", "key")),
    ("POST", "/mailings/m1/pause", {}, (404, "mailing_unknown", "mailing")),
    ("GET", "/nothing", {}, (404, "not_found", "")),
    ("PATCH", "/lists", {}, (405, "method_not_allowed", "")),
]


async def test_what_does_not_fit_is_a_problem_that_says_where(house: House) -> None:
    """Every refusal is a problem document with its stable code and the field at fault."""
    for method, path, more, wanted in MISFITS:
        reply = await house.ask("planner", method, f"/v1{path}", **more)
        problem = reply.json()
        assert (reply.status_code, problem["code"], problem["field"]) == wanted, (method, path)
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert problem["type"] == f"urn:posthaste:problem:{problem['code']}"
        assert (problem["status"], problem["line"]) == (reply.status_code, 0)
        assert problem["detail"]


async def test_pages_go_on_where_the_last_one_ended(house: House) -> None:
    """`next` is the `after` of the next page; a made-up one is refused."""
    mailing = await house.draft()
    rows, after = [], ""
    for _ in range(20):
        reply = await house.ask("reporting", "GET", "/v1/log", params={"limit": 1, "after": after})
        rows += [row["seq"] for row in reply.json()["data"]["rows"]]
        after = reply.json()["data"]["next"]
        if not after:
            break
    assert len(rows) == len(set(rows)) > 2
    assert rows == sorted(rows, reverse=True)
    for path in ("/v1/log", f"/v1/mailings/{mailing}/recipients", f"/v1/mailings/{mailing}/doubts", "/v1/parked"):
        for cursor in ("1;drop", "9" * 40, "9" * 30 + ".1", "٣.٣"):
            reply = await house.ask("reporting", "GET", path, params={"after": cursor})
            assert (reply.status_code, reply.json()["field"]) == (422, "after"), (path, cursor)
