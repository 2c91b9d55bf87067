"""An account that is there is edited: warm-up, limits of single providers, return path."""

import pytest

from shared.contracts import commands
from tests.browser.conftest import ANN, Open
from tests.browser.stock import Stock

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest.mark.feature("B24", "A2")
async def test_an_account_is_edited(window: Open, stock: Stock) -> None:
    """What is there stands in the form; what is wrong stands at its field; what was not touched stays."""
    wanted = {"name": "To edit", "host": "127.0.0.1", "port": 2525, "tls": "none", "senders": ["edit@shop.example"]}
    account = (await stock.do(commands.AddAccount.model_validate(wanted)))["account"]
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto("/accounts")
    await page.get_by_role("link", name="Edit To edit").click()
    await site.drawn()
    await page.locator("summary", has_text="Warm-up").click()
    await page.get_by_label("Day: mails").fill("1:500, 2:many")
    await page.get_by_role("button", name="Save").click()
    await page.locator(".problem", has_text="Write the warm-up as").wait_for()
    await page.get_by_label("Warm-up from").fill("2026-11-28")
    await page.get_by_label("Day: mails").fill("1:500, 2:1000")
    await page.get_by_label("Single providers").fill("gmail: connections=5, per_minute=300")
    await page.get_by_label("Domain of return paths").fill("no domain")
    await page.get_by_role("button", name="Save").click()
    await page.locator("[name=bounce_domain][aria-invalid=true]").wait_for()
    await site.shot("account-edit")
    await page.get_by_label("Domain of return paths").fill("back.shop.example")
    await page.get_by_label("Mails an hour at most").fill("700")
    await page.get_by_role("button", name="Save").click()
    card = page.get_by_role("article", name="To edit")
    await card.get_by_text("from 2026-11-28: 1:500, 2:1000").wait_for()
    await page.get_by_role("link", name="Edit To edit").click()
    await site.drawn()
    assert await page.get_by_label("Single providers").input_value() == "gmail: per_minute=300, connections=5"
    found = next(one for one in (await stock.ask(commands.Accounts()))["accounts"] if one["account"] == account)
    assert (found["host"], found["senders"], found["limits"]["per_hour"]) == ("127.0.0.1", ["edit@shop.example"], 700)
    assert found["bounce_domain"] == "back.shop.example"
