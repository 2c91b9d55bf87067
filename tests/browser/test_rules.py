"""The page of contacts: lists by a rule, what people told, domains that are not mailed, lists that ask first."""

import pytest

from shared.contracts import commands
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


@pytest.mark.feature("A15", "B11")
async def test_what_people_told_is_recorded_and_domains_are_left_alone(window: Open, stock: Stock) -> None:
    """Subscribed to a list that comes to demand a confirmation; unsubscribed for good; a domain blocked and let go."""
    await stock.do(commands.RuleList(list="Joiners", rule="email contains 'nobody at all'"))
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto("/contacts")
    await page.get_by_label("E-mail address").fill("joins@shop.example")
    await page.get_by_role("button", name="Show").click()
    await page.get_by_text("No act: mail was neither").wait_for()
    await page.get_by_label("About").select_option(label="All mail")
    await page.get_by_role("button", name="Subscribe", exact=True).click()
    await page.get_by_text("Choose a list to subscribe to.").wait_for()
    await page.get_by_label("About").select_option(label="Joiners")
    await page.get_by_role("button", name="Subscribe", exact=True).click()
    await page.get_by_text("Is on the list now.").wait_for()
    await page.get_by_label("About").select_option(label="All mail")
    await page.get_by_role("button", name="Unsubscribe", exact=True).click()
    await page.get_by_text("Unsubscribed. 2 acts").wait_for()
    await page.get_by_label("About").select_option(label="Joiners")
    await page.get_by_role("button", name="Subscribe", exact=True).click()
    await page.locator(".problem", has_text="opted out of all mail").wait_for()

    await page.get_by_role("textbox", name="Domain").fill("no domain")
    await page.get_by_role("button", name="Mail nobody there").click()
    await page.locator(".problem", has_text="This is no domain").wait_for()
    await page.get_by_role("textbox", name="Domain").fill("rival.example")
    await page.get_by_role("button", name="Mail nobody there").click()
    await page.get_by_role("rowheader", name="rival.example").wait_for()
    await site.shot("contacts-acts")
    await page.get_by_role("button", name="Mail rival.example again").click()
    await page.get_by_text("None: every domain is mailed.").wait_for()

    await page.get_by_role("link", name="Joiners: whoever joins is on it").click()
    await site.drawn()
    await page.locator("summary", has_text="Texts of your own").click()
    await page.locator("[name=html]").fill("<p>Really?</p>")
    await page.get_by_role("button", name="Demand a confirmation").click()
    await page.locator(".problem", has_text="needs {{ optInUrl }}").wait_for()
    await page.locator("[name=html]").fill("<p>Really? {{ optInLink }}</p>")
    await site.shot("list-confirmation")
    await page.get_by_role("button", name="Demand a confirmation").click()
    await page.get_by_role("link", name="Joiners: whoever joins has to confirm").click()
    await site.drawn()
    await page.get_by_role("button", name="Demand none any more").click()
    await page.get_by_role("link", name="Joiners: whoever joins is on it").wait_for()


async def test_a_contact_is_looked_up_and_taken_off_a_list(window: Open, stock: Stock) -> None:
    """Nobody is said at the field; who is found stands there with lists and consent; the list shows who is left."""
    await stock.do(commands.RuleList(list="Lookers", rule="email contains 'nobody at all'"))
    await stock.do(commands.OptIn(address="looks@shop.example", list="Lookers", name="Lou"))
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto("/contacts")
    await page.get_by_label("Address of the contact").fill("nobody@shop.example")
    await page.get_by_role("button", name="Look it up").click()
    await page.locator(".problem", has_text="Nobody here has this address").wait_for()
    await page.get_by_label("Address of the contact").fill("looks@shop.example")
    await page.get_by_role("button", name="Look it up").click()
    await page.get_by_text("Lou", exact=True).wait_for()
    await site.shot("contact-look")
    await page.get_by_role("button", name="What this person consented to").click()
    await page.get_by_text("1 act", exact=True).wait_for()
    await page.get_by_role("button", name="Take it off Lookers").click()
    await page.get_by_text("Nobody put it on a list").wait_for()
    await page.get_by_role("link", name="Lookers: 0 contacts").click()
    await page.get_by_text("Nobody was put on it.").wait_for()
    await page.get_by_text("On it is also whom its rule finds").wait_for()
