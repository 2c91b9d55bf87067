"""The pages that recipients see, by keyboard alone: one tracker, two languages, one of them from right to left."""

import json
from collections.abc import AsyncIterator
from importlib.resources import files

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from deploy.apply import apply
from shared import languages
from shared.contracts import subjects
from shared.contracts.consent import OptedIn, OptedOut
from shared.eventlog.connection import close, connect
from shared.eventlog.documents import Documents
from shared.eventlog.store import EventLog
from tests.browser.keys import Keys
from tests.browser.site import DESK, PHONE, SHOTS
from tests.harness.nats import NatsServer
from tests.harness.tracker import TrackerProcess, opt_in, unsubscribe

pytestmark = pytest.mark.asyncio(loop_scope="session")

_AXE = files("axe_playwright_python").joinpath("axe.min.js")
_WRONG = "async () => (await axe.run()).violations.map((found) => [found.id, found.nodes.map((node) => node.html)])"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def tracker(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[TrackerProcess]:
    """Yield a tracker that knows what one list is called."""
    folder = tmp_path_factory.mktemp("pages")
    server = NatsServer(folder / "nats").start()
    nc = await connect(server.url, name="test")
    await apply(nc)
    await Documents(nc, subjects.PEOPLE).replace(subjects.person_list("lista"), b'{"name": "Customers"}')
    process = await TrackerProcess(server.url, folder / "tracker").start()
    yield process
    process.kill()
    await close(nc)
    server.kill()


async def _acts(tracker: TrackerProcess) -> list[OptedOut | OptedIn]:
    nc = await connect(tracker.nats_url, name="test")
    found = [
        record.event
        async for commits in EventLog(nc).scan([subjects.ALL_CONSENT])
        for commit in commits
        for record in commit.events
    ]
    await close(nc)
    return [event for event in found if isinstance(event, OptedOut | OptedIn)]


async def _flawless(page: Page, shot: str) -> None:
    """Hold that axe finds nothing at all, and keep a picture."""
    await page.evaluate(_AXE.read_text("utf-8"))
    assert not (wrong := await page.evaluate(_WRONG)), json.dumps(wrong)
    SHOTS.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=SHOTS / f"{shot}.png", full_page=True)


@pytest.mark.feature("F4")
@pytest.mark.parametrize(("code", "scheme", "size"), [("it", "light", DESK), ("he", "dark", PHONE)])
async def test_a_person_with_a_keyboard_leaves_one_list_and_comes_back(
    browser: Browser, tracker: TrackerProcess, code: str, scheme: str, size: dict[str, int]
) -> None:
    """In the browser's language, without scripts: reason and comment, one list of two, and the way back."""
    texts = languages.of(code).page
    before = len(await _acts(tracker))
    context = await browser.new_context(
        bypass_csp=True, locale=code, color_scheme=scheme, viewport=size, extra_http_headers={"Accept-Language": code}
    )
    page = await context.new_page()
    keys = Keys(page)
    await page.goto(f"http://127.0.0.1:{tracker.port}{unsubscribe(['lista', 'listb'], f'{code}@example.com')}")
    assert await page.title() == texts.ask_title
    assert await page.evaluate("getComputedStyle(document.body).direction") == languages.of(code).direction
    await _flawless(page, f"unsubscribe-{code}")
    await keys.press("Customers", "Space")
    await keys.press(texts.everything, "Space")
    await page.keyboard.press("Space")  # not all mail after all
    await keys.to(texts.too_often)
    await page.keyboard.press("Space")
    await page.keyboard.press("ArrowDown")
    await keys.write(texts.comment, "grazie / תודה")
    await keys.press(texts.unsubscribe)
    await page.wait_for_function(f"document.title === {json.dumps(texts.out_title)}")
    await _flawless(page, f"unsubscribed-{code}")
    await keys.press(texts.changed_mind)
    await page.wait_for_function(f"document.title === {json.dumps(texts.in_title)}")
    assert not keys.unseen
    await context.close()
    out, back = (await _acts(tracker))[before:]
    assert isinstance(out, OptedOut)
    assert isinstance(back, OptedIn)
    assert (out.scope, back.scope) == ("listb", "listb")
    assert out.reason == "not_interested"
    assert out.comment
    assert out.words == back.words == languages.of(code).version


async def test_the_language_is_switched_by_a_link_and_an_opt_in_confirmed(
    browser: Browser, tracker: TrackerProcess
) -> None:
    """From English to Greek by keyboard; nothing chosen is said as an alert; a confirmation is one button."""
    greek = languages.of("el").page
    context = await browser.new_context(bypass_csp=True, locale="en-GB", viewport=DESK)
    page = await context.new_page()
    keys = Keys(page)
    await page.goto(f"http://127.0.0.1:{tracker.port}{unsubscribe(['lista'], 'el@example.com')}")
    await keys.press("Ελληνικά")
    await page.wait_for_function(f"document.title === {json.dumps(greek.ask_title)}")
    assert await context.cookies() == []
    await keys.press("Customers", "Space")
    await keys.press(greek.unsubscribe)
    await page.get_by_role("alert").wait_for()
    assert await page.title() == greek.choose_title
    await _flawless(page, "unsubscribe-nothing-chosen")
    await page.goto(f"http://127.0.0.1:{tracker.port}{opt_in(['lista'], 'el@example.com')}?lang=el")
    await _flawless(page, "confirm-el")
    await keys.press(greek.confirm)
    await page.wait_for_function(f"document.title === {json.dumps(greek.confirmed_title)}")
    assert not keys.unseen
    await context.close()
    act = (await _acts(tracker))[-1]
    assert isinstance(act, OptedIn)
    assert (act.scope, act.how) == ("lista", "confirmed")
