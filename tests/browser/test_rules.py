"""A list by a rule on the page of contacts: counted, wrong with its place, given to a list."""

import pytest

from tests.browser.conftest import ANN, Open
from tests.browser.stock import Stock

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_rule_is_counted_and_made_a_list(window: Open, stock: Stock) -> None:
    """The number and some contacts at once; what is wrong stands at the rule; the list stands among the others."""
    assert stock.sent
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto("/contacts")
    rule = page.locator("textarea[name=rule]")
    await rule.fill("email contains '@' and cty is empty")
    await page.get_by_role("button", name="Count").click()
    await page.get_by_text("No contact has a field cty.").wait_for()
    await page.get_by_role("table", name="Contacts that the rule finds").wait_for()
    await site.shot("rule-counted")
    await rule.fill("city = Athens")
    await page.get_by_role("button", name="Count").click()
    await page.get_by_text("ine 1, column 8: a text in quotes").wait_for()
    await rule.fill("email contains '@'")
    await page.locator("input[name=rule_list]").fill("By a rule")
    await page.get_by_role("button", name="Give it to the list").click()
    await page.get_by_text("Saved. The rule finds").wait_for()
    await page.get_by_role("table", name="Lists").get_by_text("By a rule").wait_for()
