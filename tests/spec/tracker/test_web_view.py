"""A flood of links to mails in the browser: few are rendered at a time, few wait, the others are told to come again."""

import asyncio
from typing import Any

from services.tracker.web_view import AT_A_TIME, WAITING, WebView
from shared.contracts.commands import Viewed
from tests.harness.tracker import RING, SIGNER

PATH = f"/v/{SIGNER.view('m1', 0, 7)}"


async def _get(view: WebView, path: str = PATH) -> tuple[int, bytes]:
    said: list[dict[str, Any]] = []

    async def send(message: Any) -> None:  # noqa: ANN401 - as ASGI has it
        said.append(message)

    async def receive() -> Any:  # noqa: ANN401 - as ASGI has it
        raise AssertionError("a GET has no body")

    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "query_string": b""}
    await view(scope, receive, send)
    return said[0]["status"], said[1]["body"]


async def test_no_flood_of_views_reaches_the_senders() -> None:
    """Two at a time are asked for, thirty wait, and the rest is 503 at once, as it is before the log is reached."""
    view = WebView(RING)
    assert (await _get(view))[0] == 503
    go_on = asyncio.Event()
    under_way = most = 0

    async def ask(body: bytes) -> bytes:
        nonlocal under_way, most
        assert b'"m1"' in body
        under_way += 1
        most = max(most, under_way)
        await go_on.wait()
        under_way -= 1
        return Viewed(state="shown", html="<p>Hello</p>").packed()

    view.attach(ask)
    asked = [asyncio.create_task(_get(view)) for _ in range(WAITING + 20)]
    done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
    assert {(await each)[0] for each in done} == {503}
    go_on.set()
    statuses = [status for status, _ in await asyncio.gather(*asked)]
    assert (statuses.count(200), statuses.count(503), most) == (WAITING, 20, AT_A_TIME)


async def test_an_answer_that_is_none_is_no_page() -> None:
    """Nobody answered, nonsense, or the line broke: the person may come again, and hears nothing of the cause."""
    view = WebView(RING)

    async def nobody(_: bytes) -> None:
        return None

    async def nonsense(_: bytes) -> bytes:
        return b"<script>"

    async def broken(_: bytes) -> bytes:
        raise OSError("secret")

    for ask in (nobody, nonsense, broken):
        view.attach(ask)
        status, body = await _get(view)
        assert status == 503
        assert b"secret" not in body
        assert b"<script" not in body
    assert (await _get(view, PATH[:-1]))[0] == 404
