"""Mailboxes at the console: one is added whose password is wrong, the page says what to do, and then it works."""

from collections.abc import Iterator

import pytest

from shared.contracts import commands
from tests.browser.conftest import ANN, VERA, Open
from tests.browser.stock import Stock
from tests.harness.imap import PASSWORD, USER, ImapServer
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.fixture
def imap() -> Iterator[ImapServer]:
    """Yield an IMAP server."""
    server = ImapServer().start()
    yield server
    server.stop()


async def test_a_mailbox_is_added_mended_and_removed(window: Open, stock: Stock, imap: ImapServer) -> None:
    """Paused with the server's words and the way out of it; tested by a button; gone after a question."""
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await page.get_by_role("link", name="Mailboxes").click()
    await site.drawn()
    await page.get_by_label("Name", exact=True).fill("Bounces")
    await page.get_by_label("Server").fill("127.0.0.1")
    await page.get_by_label("Port").fill(str(imap.port))
    await page.get_by_label("Encryption").select_option("none")
    await page.get_by_label("User").fill(USER)
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Add the mailbox").click()
    mailbox = page.get_by_role("article", name="Bounces")
    await mailbox.wait_for()

    async def paused() -> bool:
        (row,) = (await stock.ask(commands.Mailboxes()))["mailboxes"]
        return bool(row["state"] == "paused")

    await until(paused, 40)
    await site.goto("/mailboxes")
    await mailbox.get_by_text("Paused").wait_for()
    await mailbox.get_by_text("refuses the login").wait_for()
    await mailbox.get_by_text("Set the right password here").wait_for()
    await site.shot("mailbox-paused")

    await mailbox.get_by_role("link", name="Edit Bounces").click()
    await site.drawn()
    assert await page.get_by_label("Port").input_value() == str(imap.port)
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_label("Folders to read").fill("")
    await page.get_by_role("button", name="Save").click()
    await page.locator(".problem", has_text="Please fill this in.").wait_for()
    await page.get_by_label("Folders to read").fill("INBOX")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_role("button", name="Test Bounces").click()
    await page.get_by_text("Bounces works: Logged in.").wait_for()

    looker = await window()
    await looker.sign_in(VERA)
    await looker.goto("/mailboxes")
    await looker.page.get_by_role("heading", name="Not for you to see").wait_for()

    await mailbox.get_by_role("button", name="Remove").click()
    await page.get_by_role("button", name="Remove it").click()
    await page.get_by_role("heading", name="No mailbox yet").wait_for()
