"""What pages show where there is nothing, where something is away, where one may not, and on a phone."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from deploy.local import Local
from shared.contracts import commands
from tests.browser.conftest import ANN, VERA, Open, people_of
from tests.browser.site import PHONE, Site
from tests.browser.stock import Stock
from tests.harness.installations import Quick

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PAGES = (
    "/",
    "/contacts",
    "/accounts",
    "/mailboxes",
    "/health",
    "/parked",
    "/access",
    "/me",
    "/campaigns/new",
    "/mailings/new",
)


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
        ("/accounts", "No account yet"),
        ("/mailboxes", "No mailbox yet"),
        ("/parked", "Nothing is parked"),
        ("/campaigns/new", "There is no list yet"),
        ("/mailings/new", "There is no campaign yet"),
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
        assert await page.get_by_role("button", name="Start or schedule").count() == 0
    await site.goto("/accounts")
    assert await page.get_by_role("button", name="Test").count() == 0
    await site.goto("/contacts")
    assert await page.get_by_label("CSV file").count() == 0
    for path in ("/access", "/parked", "/mailings/new"):
        await site.goto(path)
        await page.get_by_role("heading", name="Not for you to see").wait_for()
    await site.shot("viewer-access")


async def test_every_page_fits_a_phone(window: Open, stock: Stock) -> None:
    """No page is wider than a phone of 390 pixels; pictures of two in the dark are kept as well."""
    site = await window(viewport=PHONE)
    await site.sign_in(ANN)
    mailing = f"/mailings/{stock.sent}"
    for path in (
        *_PAGES,
        mailing,
        f"{mailing}/audience",
        f"/mailings/{stock.planned}",
        f"/mailings/{stock.planned}/edit",
        f"/mailings/{stock.planned}/sources",
        f"{mailing}/follow-up",
    ):
        await site.goto(path)
        name = (
            path.strip("/").replace("/", "-").replace(stock.sent, "sent").replace(stock.planned, "planned")
            or "mailings"
        )
        await site.shot(f"phone-{name}")
        assert await site.page.evaluate("document.documentElement.scrollWidth") <= 390, path
    await site.page.emulate_media(color_scheme="dark")
    for path, name in (("/", "mailings"), (mailing, "mailing")):
        await site.goto(path)
        await site.shot(f"phone-dark-{name}")


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


async def test_a_draft_is_edited(window: Open, stock: Stock) -> None:
    """The form holds what was written; what is saved stands on the page, and the recipients have to be fixed again."""
    mailing = await stock.draft("Edited")
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{mailing}/edit")
    assert await page.get_by_label("Subject").input_value() == "Hello {{ name }}"
    assert "https://shop.example/" in await page.get_by_label("Text").input_value()
    await page.get_by_label("Subject").fill("Good morning {{ name }}")
    await page.get_by_role("button", name="Save the draft").click()
    await page.get_by_text("Good morning Ann Example").wait_for()
    await page.get_by_role("button", name="Fix the recipients").wait_for()


@pytest.mark.feature("G9", "G11", "P1", "P6")
async def test_sources_are_chosen_on_a_page(window: Open, stock: Stock) -> None:
    """An earlier mailing instead of the list, one person more; the recipients have to be fixed again."""
    mailing = await stock.draft("Sources")
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{mailing}")
    await page.get_by_role("link", name="Choose where they come from").click()
    await page.get_by_role("group", name="Lists of the campaign").get_by_role("checkbox").first.uncheck()
    await page.get_by_label("Earlier mailing").select_option(stock.sent)
    await page.get_by_label("Of it").select_option("not_opened")
    await page.get_by_label("Who took part in the most recent").fill("points awarded")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Nobody told of 'points awarded'.").wait_for()
    await page.get_by_label("Who took part in the most recent").fill("")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("Saved. Now fix the recipients.").wait_for()
    await page.get_by_label("Addresses").fill("added@shop.example")
    await page.get_by_role("button", name="Let them get it").click()
    await page.get_by_text("Noted. Now fix the recipients.").wait_for()
    chosen = await stock.ask(commands.ChosenSources(mailing=mailing))
    assert chosen["sources"]["lists"] == []
    assert chosen["sources"]["mailings"] == [{"mailing": stock.sent, "group": "not_opened"}]
    assert len(chosen["added"]) == 1
    await page.get_by_role("link", name="← Sources").click()
    await page.get_by_role("button", name="Fix the recipients").click()
    await page.get_by_text("will get it.").wait_for()
    await page.get_by_role("link", name="See who").click()
    await page.get_by_label("Search for an address or a name").fill("ADDED@")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("rowheader", name="added@shop.example").wait_for()


@pytest.mark.feature("F3")
async def test_a_number_becomes_a_list(window: Open, stock: Stock) -> None:
    """From the recipients of what was sent to a list, and on to a campaign."""
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{stock.sent}")
    await page.get_by_role("link", name="Follow up").click()
    await page.get_by_label("Name of the list").fill("Once more")
    await page.get_by_role("button", name="Make the list").click()
    await page.get_by_text("on “Once more”").wait_for()
    await page.get_by_role("link", name="Open a campaign with it").click()
    await page.get_by_text("Once more").first.wait_for()
