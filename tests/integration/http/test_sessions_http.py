"""People at browsers, programs on the command line, and operations that are to go."""

import os
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path

import orjson
import pytest

from shared.contracts import commands
from shared.contracts.api import RETIRED, Retirement
from tests.harness.forks import COMMAND_LINE, ran
from tests.harness.waiting import until
from tests.integration.http.conftest import House

EMAIL, PASSWORD = "ada@example.com", "correct horse battery"


async def test_who_signs_in_has_a_cookie_on_both_services_until_the_sign_out(house: House) -> None:
    """The session comes as a cookie no script can read; it is a principal on both services, and ends at once."""
    await house.do(commands.AddUser(name="Ada", email=EMAIL, password=PASSWORD, permissions=["view"]))
    wrong = await house.ask("planner", "POST", "/v1/sessions", "", json={"email": EMAIL, "password": "no"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "sign_in_failed")
    assert "set-cookie" not in wrong.headers
    opened = await house.ask("planner", "POST", "/v1/sessions", "", json={"email": EMAIL, "password": PASSWORD})
    morsel = SimpleCookie(opened.headers["Set-Cookie"])["posthaste_session"]
    assert morsel.value == opened.json()["data"]["session"]
    assert (morsel["httponly"], morsel["samesite"], morsel["path"], morsel["secure"]) == (True, "Strict", "/", "")
    assert 11 * 3600 < int(morsel["max-age"]) <= 12 * 3600
    cookie = {"Cookie": f"posthaste_session={morsel.value}"}
    for service in ("planner", "reporting"):
        path = "/v1/lists" if service == "planner" else "/v1/mailings"
        assert (await house.ask(service, "GET", path, "", headers=cookie)).status_code == 200
    foreign = cookie | {"Origin": "https://evil.example"}
    assert (await house.ask("planner", "POST", "/v1/sessions/close", "", headers=foreign)).status_code == 422
    own = cookie | {"Origin": house.urls["planner"]}
    closed = await house.ask("planner", "POST", "/v1/sessions/close", "", headers=own)
    assert closed.status_code == 200
    assert SimpleCookie(closed.headers["Set-Cookie"])["posthaste_session"]["max-age"] == "0"

    async def ended() -> bool:
        return (await house.ask("reporting", "GET", "/v1/mailings", "", headers=cookie)).status_code == 401

    await until(ended, 10)


async def test_the_command_line_asks_over_http_with_a_token(house: House, tmp_path: Path) -> None:
    """With an address and a token nothing of NATS is needed: upload, import, list; a wrong token is refused."""
    people = tmp_path / "people.csv"
    people.write_text("email,name\nada@example.com,Ada\nbroken,x\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("POSTHASTE_")}
    known = kept | {"POSTHASTE_URL": f"{house.urls['planner']},{house.urls['reporting']}"}

    async def posthaste(token: str, *words: str) -> tuple[int, bytes]:
        arguments = (*words, "--data", str(tmp_path / "none"), "--json")
        code, out, error = await ran(COMMAND_LINE, arguments, known | {"POSTHASTE_TOKEN": token})
        return code, out or error

    code, said = await posthaste(house.token, "contacts", "import", str(people), "--list", "readers")
    assert code == 0, said
    assert (orjson.loads(said)["added"], orjson.loads(said)["rejected"]) == (1, 1)
    code, said = await posthaste(house.token, "campaign", "open", "--name", "May", "--list", "readers")
    assert code == 0, said
    code, said = await posthaste("pht_x_no", "mailing", "list")
    assert code == 2, said
    assert b"unauthenticated" in said


async def test_an_operation_that_is_to_go_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answers say since when, until when, and what to use instead."""
    retired = Retirement(
        since=datetime(2026, 1, 1, tzinfo=UTC), sunset=datetime(2026, 7, 1, tzinfo=UTC), instead="https://x.example/new"
    )
    monkeypatch.setitem(RETIRED, "list.list", retired)
    reply = await house.ask("planner", "GET", "/v1/lists")
    assert reply.headers["Deprecation"] == "@1767225600"
    assert reply.headers["Sunset"] == "Wed, 01 Jul 2026 00:00:00 GMT"
    assert reply.headers["Link"] == '<https://x.example/new>; rel="deprecation"; type="text/html"'
    assert "Deprecation" not in (await house.ask("planner", "GET", "/v1/accounts")).headers
