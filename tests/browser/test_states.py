"""What pages show where there is nothing, where something is away, and where one may not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from deploy.local import Local
from tests.browser.conftest import ANN, VERA, Open, people_of
from tests.browser.site import Site
from tests.browser.stock import Stock
from tests.harness.installations import Quick

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def empty(browser: Browser, tmp_path: Path) -> AsyncIterator[tuple[Local, Site]]:
    """Yield an installation in which nothing was done yet, and a window on it."""
    async with Quick(tmp_path / "data", ports="free") as local:
        await people_of(local)
        site = await Site.opened(browser, local.urls.reporting)
        yield local, site
        site.wrong = [said for said in site.wrong if "ERR_CONNECTION_REFUSED" not in said]
        await site.close()


async def test_where_there_is_nothing_it_says_what_to_do(empty: tuple[Local, Site]) -> None:
    """An empty console leads to the first mailing; with the planner down it says so and comes back by itself."""
    local, site = empty
    page = site.page
    await site.sign_in(ANN)
    await page.get_by_role("heading", name="Four steps to the first mailing").wait_for()
    await site.shot("empty-mailings")
    for path, said in (
        ("/contacts", "No list yet"),
        ("/templates", "No template yet"),
        ("/accounts", "No account yet"),
        ("/mailboxes", "No mailbox yet"),
        ("/parked", "Nothing is parked"),
        ("/campaigns/new", "There is no list yet"),
        ("/series", "No recurring mailing yet"),
        ("/series/new", "There is no mailing yet"),
        ("/mailings/new", "There is no campaign yet"),
        ("/mails/new", "No account works yet"),
    ):
        await site.goto(path)
        await page.get_by_role("heading", name=said).wait_for()
    await site.goto("/mailings/nosuchmailing")
    await page.get_by_text("There is no such mailing.").wait_for()

    await site.goto("/accounts")
    await local.down("planner")
    await page.get_by_label("Name", exact=True).fill("Catcher")
    await page.get_by_label("Server").fill("127.0.0.1")
    await page.get_by_label("Sender addresses").fill("news@shop.example")
    await page.get_by_role("button", name="Add the account").click()
    await page.get_by_role("alert").get_by_text("Planner does not answer at present").wait_for()
    await site.shot("planner-away-form")
    assert await page.get_by_label("Server").input_value() == "127.0.0.1"
    await page.goto(site.url + "/contacts")
    await page.locator(".banner").get_by_text("Planner does not answer at present").wait_for()
    await page.get_by_role("button", name="Try again").wait_for()
    await site.shot("planner-away")
    await local.up("planner")
    await page.get_by_role("heading", name="No list yet").wait_for()
    await page.locator(".banner").wait_for(state="hidden")

    await local.restart("reporting")
    await page.get_by_role("heading", name="No list yet").wait_for()
    await page.wait_for_function("window.socket?.connected || window.did_handshake")


async def test_who_may_only_look_sees_no_buttons(window: Open, stock: Stock) -> None:
    """With the permission to view there is nothing to press, and pages of administrators say why they are closed."""
    site = await window()
    page = site.page
    await site.sign_in(VERA)
    await page.get_by_text("Stocked").first.wait_for()
    assert await page.get_by_role("link", name="New mailing").count() == 0
    assert await page.get_by_role("link", name="Access").count() == 0
    for mailing in (stock.planned, stock.sent):
        await site.goto(f"/mailings/{mailing}")
        await page.get_by_role("heading", level=1).wait_for()
        buttons = page.get_by_role("group", name="Actions").get_by_role("button")
        assert await buttons.count() == 0
        assert await page.get_by_role("navigation", name="Steps").count() == 0
    await site.goto("/accounts")
    assert await page.get_by_role("button", name="Test").count() == 0
    await site.goto("/contacts")
    assert await page.get_by_label("CSV file").count() == 0
    for path in (
        "/access",
        "/parked",
        "/mailings/new",
        "/mails/new",
        "/series/new",
        f"/mailings/{stock.planned}/content",
    ):
        await site.goto(path)
        await page.get_by_role("heading", name="Not for you to see").wait_for()
    await site.shot("viewer-access")


async def test_recipients_are_found_by_part_of_an_address(window: Open, stock: Stock) -> None:
    """A search narrows the list, by address or by name, and says when nobody fits."""
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{stock.sent}")
    search = page.get_by_role("searchbox")
    await search.fill("PERSON-17@")
    await search.press("Enter")
    await page.locator("tbody tr").nth(1).wait_for(state="detached")
    await page.get_by_role("rowheader", name="person-17@stock.example").wait_for()
    await search.fill("nobody here")
    await search.press("Enter")
    await page.get_by_text("Nobody here has “nobody here” in address or name.").wait_for()
    await search.fill("")
    await search.press("Enter")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_text("Page 2").wait_for()


async def test_a_mailing_is_paused_resumed_and_cancelled(window: Open, stock: Stock) -> None:
    """Buttons do what they say, another window sees it at once, and a cancel is asked about first."""
    mailing = await stock.slow("Cancelled")
    one, other = await window(), await window()
    for site in (one, other):
        await site.sign_in(ANN)
        await site.goto(f"/mailings/{mailing}")
    page = one.page
    state = other.page.locator(".title-row .pill")
    await page.get_by_role("button", name="Pause").click()
    await state.get_by_text("Paused").wait_for()
    await page.get_by_role("button", name="Rate").click()
    await page.get_by_label("Mails an hour at most").fill("0")
    await page.get_by_role("button", name="Change the rate").click()
    await page.get_by_text("Input should be greater than or equal to 1").wait_for()
    await page.get_by_label("Mails an hour at most").fill("3000")
    await page.get_by_role("button", name="Change the rate").click()
    await other.page.get_by_text("3,000 an hour").wait_for()
    await page.get_by_role("button", name="Resume").click()
    await state.get_by_text("Sending").wait_for()
    await page.get_by_role("button", name="Cancel", exact=True).click()
    await page.get_by_label("Why").fill("Wrong season")
    await one.shot("cancel-asked")
    await page.get_by_role("button", name="Cancel the mailing").click()
    await state.get_by_text("Cancelled").wait_for()
    await other.page.get_by_text("Wrong season").first.wait_for()
