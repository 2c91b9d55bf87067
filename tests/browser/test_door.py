"""Who is let in: the sign-in without a browser, as an attacker or a curious program would try it."""

import asyncio
import re

import httpx
import pytest

from deploy.local import Local
from tests.browser.conftest import ANN
from tests.browser.site import PASSWORD

pytestmark = pytest.mark.asyncio(loop_scope="session")

_SOCKET = "/_nicegui_ws/socket.io/?EIO=4&transport=websocket"


_FIRST_PAGE = 30.0
"""Seconds: what draws pages is loaded when the first one is asked for, on a machine that may be busy."""


def _token(page: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f]+)"', page)
    assert found is not None
    return found[1]


def _client(local: Local) -> httpx.AsyncClient:
    origin = local.urls.reporting
    return httpx.AsyncClient(base_url=origin, headers={"Origin": origin}, trust_env=False, timeout=_FIRST_PAGE)


async def _signed_in(client: httpx.AsyncClient, after: str = "", password: str = PASSWORD) -> httpx.Response:
    page = await client.get("/sign-in")
    form = {"email": ANN, "password": password, "form": _token(page.text), "next": after}
    return await client.post("/sign-in", data=form)


async def test_a_session_is_a_cookie_that_scripts_and_other_sites_cannot_use(local: Local) -> None:
    """Signing in sets it HttpOnly and SameSite=Strict; signing out ends the session for good."""
    async with _client(local) as client:
        answer = await _signed_in(client, "/accounts")
        assert answer.status_code == 303
        assert answer.headers["location"] == "/accounts"
        cookies = answer.headers.get_list("set-cookie")
        cookie = next(value for value in cookies if value.startswith("posthaste_session="))
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
        session = client.cookies["posthaste_session"]
        assert (await client.get("/")).status_code == 200
        assert (await client.post("/sign-out")).headers["location"] == "/sign-in"
        client.cookies.set("posthaste_session", session)
        again = await client.get("/accounts")
        assert again.status_code == 303
        assert again.headers["location"] == "/sign-in?next=%2Faccounts"


async def test_a_wrong_password_is_told_without_saying_what_is_wrong(local: Local) -> None:
    """The form comes back with the address and one sentence."""
    async with _client(local) as client:
        answer = await _signed_in(client, password="not-this-one")
        assert answer.status_code == 403
        assert "There is no user with this address and this password." in answer.text
        assert f'value="{ANN}"' in answer.text
        assert "posthaste_session" not in client.cookies


async def test_the_form_must_be_ours(local: Local) -> None:
    """Without the value of the form, or from another origin, nobody is signed in."""
    async with _client(local) as client:
        form = {"email": ANN, "password": PASSWORD, "form": "0" * 64}
        answer = await client.post("/sign-in", data=form)
        assert "too old" in answer.text
        page = await client.get("/sign-in")
        form["form"] = _token(page.text)
        foreign = await client.post("/sign-in", data=form, headers={"Origin": "https://evil.example"})
        assert foreign.status_code == 403
        assert "posthaste_session" not in client.cookies


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/\\evil.example", "/a\r\nSet-Cookie: a=b"]
)
async def test_the_way_in_leads_nowhere_else(local: Local, after: str) -> None:
    """Where to go next stays in the console."""
    async with _client(local) as client:
        assert (await _signed_in(client, after)).headers["location"] == "/"


async def test_a_socket_must_come_from_a_page_of_ours(local: Local) -> None:
    """A WebSocket from another origin, or from none, is refused before anything is said on it."""
    upgrade = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for origin in ({}, {"Origin": "https://evil.example"}):
        lines = [f"GET {_SOCKET} HTTP/1.1", f"Host: 127.0.0.1:{local.ports.reporting_http}"]
        lines += [f"{name}: {value}" for name, value in (upgrade | origin).items()]
        reader, writer = await asyncio.open_connection("127.0.0.1", local.ports.reporting_http)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        answer = await asyncio.wait_for(reader.readline(), 30)
        writer.close()
        assert answer.split()[1] == b"403"


async def test_pages_may_load_from_nowhere_else(local: Local) -> None:
    """The policy of every page names this server alone, and nobody may frame it."""
    async with _client(local) as client:
        await _signed_in(client)
        for path in ("/sign-in", "/", "/mailings/nobody", "/nothing-here"):
            headers = (await client.get(path)).headers
            assert "connect-src 'self'" in headers["content-security-policy"], path
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff"
        assert (
            await client.post("/uploads", content=b"a", headers={"Origin": "https://evil.example"})
        ).status_code == 403
        async with _client(local) as nobody:
            assert (await nobody.post("/uploads", content=b"email\n")).status_code == 401
