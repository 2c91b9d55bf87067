"""Who may pass: every endpoint against every permission, tokens, cookies and their pages, rates."""

import re
from typing import Any

import httpx
import pytest

from shared.contracts import commands
from shared.contracts.api import ENDPOINTS, FLOWS, Endpoint, Flow
from shared.contracts.principals import PERMISSIONS
from tests.integration.http.conftest import House

ROWS: list[Endpoint | Flow] = [*ENDPOINTS, *FLOWS]
OWN = "http://{host}"


def _path(row: Endpoint | Flow) -> str:
    return "/v1" + re.sub(r"{(\w+)}", lambda part: "1" if part[1] == "seq" else "x1", row.path)


async def _status(http: httpx.AsyncClient, house: House, row: Endpoint | Flow, token: str) -> tuple[int, str]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with http.stream(row.method, f"{house.urls[row.service]}{_path(row)}", headers=headers) as reply:
        if reply.headers["content-type"] != "application/problem+json":
            return reply.status_code, ""
        await reply.aread()
        return reply.status_code, reply.json()["detail"]


@pytest.mark.feature("P1")
async def test_every_endpoint_refuses_whoever_lacks_its_permission(house: House) -> None:
    """401 without a token, 403 with any other permission, which the answer names; neither with the right one."""
    tokens = {permission: await house.issue([permission]) for permission in PERMISSIONS}
    nobody = await house.issue([])
    async with httpx.AsyncClient(trust_env=False, timeout=20) as http:
        for row in (row for row in ROWS if row.permission is not None):
            assert (await _status(http, house, row, ""))[0] == 401, row.name
            for permission, token in tokens.items():
                status, detail = await _status(http, house, row, token)
                allowed = row.permission in (permission, "own")
                assert (status not in (401, 403)) == allowed, (row.name, permission, status)
                assert allowed or f"permission {row.permission}" in detail, (row.name, detail)
            assert ((await _status(http, house, row, nobody))[0] == 403) == (row.permission != "own"), row.name


async def test_a_token_that_is_none_is_told_how_to_ask(house: House) -> None:
    """401 with the scheme, whatever is sent instead of a token."""
    for headers in ({}, {"Authorization": "Bearer pht_x1_nonsense"}, {"Authorization": "Basic YTpi"}):
        reply = await house.ask("planner", "POST", "/v1/campaigns", "", headers=headers, content=b"x" * 100)
        assert (reply.status_code, reply.json()["code"]) == (401, "unauthenticated")
        assert reply.headers["WWW-Authenticate"] == 'Bearer realm="posthaste"'


async def test_a_cookie_changes_nothing_for_a_page_of_somebody_else(house: House) -> None:
    """With the cookie of a session reading is free; what changes something comes from a page of the same host."""
    host = house.urls["planner"].removeprefix("http://")
    cookie = {"Cookie": f"posthaste_session={house.token}"}
    assert (await house.ask("planner", "GET", "/v1/lists", "", headers=cookie)).status_code == 200

    async def pause(**more: str) -> tuple[int, str]:
        headers = cookie | {name.replace("_", "-"): value for name, value in more.items()}
        reply = await house.ask("planner", "POST", "/v1/mailings/m1/pause", "", headers=headers)
        return reply.status_code, reply.json()["code"]

    refused, passed = (403, "origin_foreign"), (404, "mailing_unknown")
    assert await pause() == refused
    assert await pause(Origin="https://evil.example") == refused
    assert await pause(Origin="null", Sec_Fetch_Site="same-origin") == refused
    assert await pause(Origin=f"http://{host}.evil.example") == refused
    assert await pause(Sec_Fetch_Site="same-site") == refused
    assert await pause(Sec_Fetch_Site="same-origin") == passed
    assert await pause(Origin=f"http://{host}") == passed
    upload = await house.ask("planner", "POST", "/v1/uploads", "", headers=cookie, content=b"email\n")
    assert (upload.status_code, upload.json()["code"]) == refused


@pytest.fixture
def http_settings(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return small limits where a test is about them."""
    wide: dict[str, Any] = {"http_rate": 10_000, "http_burst": 10_000}
    return wide | (request.param if hasattr(request, "param") else {})


@pytest.mark.parametrize("http_settings", [{"http_rate": 0.5, "http_burst": 5}], indirect=True)
async def test_a_principal_that_asks_too_often_is_told_when_to_come_again(house: House) -> None:
    """429 with Retry-After for that principal alone."""
    eager, other = await house.issue(["view"]), await house.issue(["view"])
    replies = [await house.ask("planner", "GET", "/v1/lists", eager) for _ in range(5)]
    assert [reply.status_code for reply in replies] == [200] * 5
    while (reply := replies[-1]).status_code == 200 and len(replies) < 20:  # a slow machine earns a further one
        replies.append(await house.ask("planner", "GET", "/v1/lists", eager))
    assert (reply.status_code, reply.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(reply.headers["Retry-After"]) <= 2
    assert (await house.ask("planner", "GET", "/v1/lists", other)).status_code == 200
    async with house.client(eager) as client:  # it waits as told, and is answered
        assert (await client.query(commands.Lists())).ok


@pytest.mark.parametrize("http_settings", [{"http_failures": 3, "trusted_proxies": "127.0.0.0/8"}], indirect=True)
async def test_an_address_that_shows_wrong_tokens_is_turned_away(house: House) -> None:
    """After so many wrong ones not even the right token is looked at; other addresses go on."""

    async def ask(token: str, address: str) -> int:
        headers = {"X-Forwarded-For": f"198.51.100.9, {address}"}
        return (await house.ask("planner", "GET", "/v1/lists", token, headers=headers)).status_code

    assert [await ask("wrong", "203.0.113.7") for _ in range(5)] == [401, 401, 401, 429, 429]
    assert await ask(house.token, "203.0.113.7") == 429
    assert await ask(house.token, "203.0.113.8") == 200
