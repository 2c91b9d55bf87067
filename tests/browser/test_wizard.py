"""The steps of a mailing beyond the journey, and what stands beside them: templates, single mails, follow-ups."""

from datetime import UTC, datetime, timedelta

import pytest

from services.planner.contacts import lists
from shared.contracts import commands
from tests.browser.conftest import ANN, Open
from tests.browser.site import PASSWORD
from tests.browser.stock import Stock

pytestmark = pytest.mark.asyncio(loop_scope="session")

BERT = "bert@shop.example"
IMAGE = '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw=">'
_SELECTED = """() => {
  const it = document.activeElement;
  return it.value.slice(it.selectionStart, it.selectionEnd);
}"""


@pytest.mark.feature("G8", "G9", "G10", "G11", "P1", "P6", "B11")
async def test_sources_are_chosen_in_a_step(window: Open, stock: Stock) -> None:
    """An earlier mailing instead of the list, of it who is on one list and not on another, and one person more.

    What is wrong stands at its field; which addresses of a customer are used is chosen, too.
    """
    mailing = await stock.draft("Sources")
    await stock.do(commands.RuleList(list="Not these", rule="email = 'person-3@stock.example'"))
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{mailing}/recipients")
    await page.get_by_role("group", name="Lists of the campaign").get_by_role("checkbox").first.uncheck()
    folds = ("Which addresses", "Recipients of an earlier mailing", "Who took part in something", "Helper list")
    for summary in (*folds, "Leave out"):
        await page.locator("summary", has_text=summary).click()
    await page.get_by_label("Earlier mailing").select_option(stock.sent)
    await page.get_by_label("Of it", exact=True).select_option("not_opened")
    await page.get_by_label("Who took part in the most recent").fill("points awarded")
    await page.get_by_role("button", name="Save and count").click()
    await page.get_by_text("Nobody told of 'points awarded'.").wait_for()
    await page.get_by_label("Who took part in the most recent").fill("")
    await page.get_by_role("group", name="Addresses of a customer").get_by_label("Those of its contact persons").check()
    await page.get_by_label("Helper list").select_option("Stock of 40")
    await page.get_by_label("What it does").select_option("only")
    await page.get_by_role("group", name="Leave out who is on").get_by_label("Not these").check()
    await page.get_by_label("Leave out who got as many mails").fill("none")
    await page.get_by_label("within days").fill("7")
    await page.get_by_role("button", name="Save and count").click()
    await page.locator(".problem", has_text="valid integer").wait_for()
    await page.get_by_label("Leave out who got as many mails").fill("500")
    await page.get_by_role("button", name="Save and count").click()
    await page.get_by_role("checkbox", name="Who did not open it: Sent one (Completed)").wait_for()
    await site.drawn()
    await page.get_by_label("Addresses").fill("added@shop.example")
    await page.get_by_role("button", name="Let them get it").click()
    await page.get_by_text("Noted. Now fix the recipients.").wait_for()
    chosen = await stock.ask(commands.ChosenSources(mailing=mailing))
    assert chosen["sources"]["lists"] == []
    assert chosen["sources"]["mailings"] == [{"mailing": stock.sent, "group": "not_opened"}]
    assert chosen["sources"]["cap"] == {"mails": 500, "days": 7}
    assert chosen["sources"]["helper"] == {"list": lists.id_of("Stock of 40"), "mode": "only"}
    assert chosen["sources"]["exclude"] == [lists.id_of("Not these")]
    assert chosen["sources"]["addresses"] == ["first", "second", "third", "persons"]
    assert len(chosen["added"]) == 1
    await page.get_by_role("button", name="Fix the recipients").click()
    await page.get_by_text("39 people will get it.").wait_for()
    await page.get_by_role("link", name="See who").click()
    await page.get_by_label("Search for an address or a name").fill("ADDED@")
    await page.get_by_role("button", name="Search").click()
    await page.get_by_role("rowheader", name="added@shop.example").wait_for()


@pytest.mark.feature("P3", "P5", "A9", "G1", "B13")
async def test_a_start_is_chosen_left_taken_up_and_approved_by_somebody_else(window: Open, stock: Stock) -> None:
    """Refusals at their fields; what was chosen is there again; nothing starts before a second person approved."""
    lists = (await stock.ask(commands.Campaigns()))["campaigns"]
    own = next(row["lists"] for row in lists if row["campaign"] == stock.campaign)
    wanted = commands.OpenCampaign(name="Two pairs of eyes", lists=own, approval=True)
    mailing = await stock.draft("Waits", campaign=(await stock.do(wanted))["campaign"])
    may = ["view", "approve"]
    await stock.do(
        commands.AddUser.model_validate({"name": "Bert", "email": BERT, "password": PASSWORD, "permissions": may})
    )
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{mailing}/schedule")
    day = datetime.now(UTC).date() + timedelta(days=9)
    await page.get_by_label("Date and time").fill(f"{day}T09:00")
    for summary in ("Sending hours", "Rate and batches", "Deadline", "Who is told"):
        await page.locator("summary", has_text=summary).click()
    await page.locator("[name=from]").fill("09:00")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_text("Give both hours, or none.").wait_for()
    await page.locator("[name=until]").fill("12:00")
    await page.get_by_label("From once more").fill("13:00")
    await page.get_by_label("Until once more").fill("18:00")
    await page.get_by_label("Sun").uncheck()
    await page.get_by_label("Not on these dates either").fill("2027-02-30")
    await page.get_by_role("button", name="Save and go on").click()
    await page.locator(".problem", has_text="valid date").wait_for()
    await page.get_by_label("Not on these dates either").fill("2027-12-31")
    await page.get_by_label("Not after").fill(f"{day}T08:00")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_text("The deadline comes before the start.").wait_for()
    await page.get_by_label("Not after").fill("")
    await page.get_by_label("Batches of").fill("500")
    await page.get_by_label("By mail").fill("boss@shop.example")
    await site.shot("wizard-schedule-full")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_role("heading", name="Check and start").wait_for()
    written = await stock.ask(commands.Draft(mailing=mailing))
    assert written["batch"] == {"size": 500, "minutes": 60}
    assert written["notify"] == ["boss@shop.example"]

    await site.goto("/")
    await page.get_by_role("link", name="Waits").click()
    await page.get_by_role("navigation", name="Steps").get_by_text(f"{day:%-d %b %Y}, 09:00 (Europe/Vienna)").wait_for()
    await page.get_by_role("link", name="Schedule", exact=True).click()
    await site.drawn()
    assert await page.get_by_label("Until once more").input_value() == "18:00"
    assert not await page.get_by_label("Sun").is_checked()
    await page.get_by_role("link", name="Check and start").click()
    await page.get_by_role("button", name="Fix the recipients").click()
    await page.get_by_text("Finished about").wait_for()
    await page.get_by_text("09:00 to 12:00, 13:00 to 18:00").wait_for()
    await page.get_by_role("button", name="Make every mail").click()
    await page.get_by_text("All 40 mails can be made.").wait_for()
    await site.shot("wizard-check-approval")
    await page.get_by_role("button", name="Schedule it").click()
    state = page.locator(".title-row .pill")
    await state.get_by_text("Scheduled").wait_for()
    await page.get_by_role("button", name="Approve of exactly this").click()
    await page.get_by_text("Somebody else has to approve of it").wait_for()

    second = await window()
    await second.sign_in(BERT)
    await second.goto(f"/mailings/{mailing}")
    await second.shot("approval")
    await second.page.get_by_role("button", name="Approve of exactly this").click()
    await second.page.get_by_text("Somebody approved of it.").wait_for()

    await site.goto(f"/mailings/{mailing}/content")
    await page.get_by_role("heading", name="Its start is set").wait_for()
    await page.get_by_role("button", name="Withdraw the start").click()
    await page.get_by_label("Subject").wait_for()
    await site.drawn()
    await page.get_by_label("Subject").fill("Good morning {{ name }}")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_text("Good morning Ann Example").wait_for()
    written = await stock.ask(commands.Draft(mailing=mailing))
    assert (written["subject"], written["batch"]["size"]) == ("Good morning {{ name }}", 500)


@pytest.mark.feature("A6", "A13")
async def test_a_template_is_kept_used_in_two_languages_and_deleted(window: Open, stock: Stock) -> None:
    """Wrong syntax stands at its field with its line; that of another system is made ours; a draft takes it twice."""
    mailing = await stock.draft("Two languages")
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto("/templates/new")
    await page.get_by_label("Name", exact=True).fill("Letter")
    await page.get_by_label("Subject").fill("For {{ name }}")
    await page.get_by_label("HTML").fill("<p>Hello</p>\n<p>{{ name</p>")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.locator(".problem", has_text="line 2").wait_for()
    await page.get_by_label("HTML").fill("<p>Hello {Person.name}</p>\n" + IMAGE)
    await page.get_by_label("It was written for another system").check()
    await page.get_by_role("button", name="Preview and look it over").click()
    await page.frame_locator("iframe").get_by_text("Hello Ann Example").wait_for()
    await page.get_by_role("button", name="HTML, line 2").first.click()
    assert await page.evaluate(_SELECTED) == IMAGE
    await site.shot("template")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("link", name="Letter").wait_for()
    await site.shot("templates")

    await site.goto(f"/mailings/{mailing}/content")
    await page.get_by_label("Another language").fill("German")
    await page.get_by_role("button", name="Add").click()
    await page.locator(".problem", has_text="match").wait_for()
    await page.get_by_label("Another language").fill("de")
    await page.get_by_role("button", name="Add").click()
    await page.wait_for_url("**language=de*")
    await site.drawn()
    await page.get_by_label("Template").select_option(label="Letter")
    await page.get_by_role("button", name="Write it into the fields").click()
    await page.wait_for_url("**template=*")
    await site.drawn()
    assert await page.get_by_label("Subject").input_value() == "For {{ name }}"
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url(lambda url: "template=" not in url)
    await site.drawn()
    await site.shot("wizard-language")
    written = await stock.ask(commands.Draft(mailing=mailing))
    assert written["variants"]["de"]["subject"] == "For {{ name }}"
    assert written["variants"]["de"]["html"].startswith("<p>Hello {{ name }}</p>")
    assert written["subject"] == "Hello {{ name }}"

    await site.goto("/templates")
    await page.get_by_label("Name of the link").fill("Sale")
    await page.get_by_label("Leads to").fill("shop.example")
    await page.get_by_role("button", name="Keep it").click()
    await page.locator(".problem", has_text="http").wait_for()
    await page.get_by_label("Leads to").fill("https://shop.example/sale")
    await page.get_by_role("button", name="Keep it").click()
    await page.get_by_text("{{ trackingUrl:Sale }}").wait_for()
    await page.get_by_role("row", name="Letter").get_by_role("button", name="Delete").click()
    await page.get_by_role("row", name="Letter").get_by_role("button", name="Delete it").click()
    await page.get_by_role("heading", name="No template yet").wait_for()


@pytest.mark.feature("B14")
async def test_a_version_is_tried_on_a_sample_and_chosen_by_hand(window: Open, stock: Stock) -> None:
    """Another subject for half of a sample; figures stand on the page of the mailing, and the rest gets the winner."""
    mailing = await stock.draft("Versions")
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{mailing}/content")
    await page.get_by_role("link", name="Try another version").click()
    await page.wait_for_url("**version=b")
    await site.drawn()
    await page.get_by_label("Subject").fill("Look here, {{ name }}")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.get_by_role("heading", name="A/B test").wait_for()
    await site.drawn()
    await page.get_by_label("Sample in percent").fill("200")
    await page.get_by_role("button", name="Save the test").click()
    await page.locator(".problem", has_text="less than or equal to 100").wait_for()
    await page.get_by_label("Sample in percent").fill("50")
    await page.get_by_label("The winner has most").select_option("hand")
    await site.shot("wizard-version")
    await page.get_by_role("button", name="Save the test").click()
    await page.wait_for_url(lambda url: "version=" not in url)
    test = (await stock.ask(commands.Draft(mailing=mailing)))["ab_test"]
    assert (test["percent"], test["by"], test["versions"]["b"]["subject"]) == (50, "hand", "Look here, {{ name }}")
    await stock.do(commands.FreezeAudience(mailing=mailing))
    await stock.do(commands.ScheduleMailing(mailing=mailing))
    await site.goto(f"/mailings/{mailing}")
    await page.get_by_text("Choose which version the rest gets.").wait_for()
    await site.shot("mailing-versions")
    await page.get_by_role("button", name="Version b goes to the rest").click()
    await page.get_by_text("Version b was chosen: the rest gets it.").wait_for()
    await page.locator(".title-row .pill", has_text="Completed").wait_for()


@pytest.mark.feature("F2", "G12")
async def test_a_single_mail_goes_to_a_removed_one_only_where_somebody_insists(window: Open, stock: Stock) -> None:
    """What became of it is said on the page; to somebody who is out it goes with a tick, which is recorded."""
    await stock.do(commands.OptOut(address="left@shop.example"))
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await page.get_by_role("link", name="A single mail").click()
    await site.drawn()
    await page.get_by_label("To", exact=True).fill("left@shop.example")
    await page.get_by_label("Subject").fill("Your question")
    await page.get_by_label("Text").fill("Yes.")
    await page.get_by_role("button", name="Send it").click()
    await page.locator(".problem", has_text="No mail may go to this address").wait_for()
    await page.get_by_label("Send it also to somebody").check()
    await page.locator("summary", has_text="Language, time zone").click()
    await page.get_by_label("Further header fields").fill("X-Ticket 7")
    await page.get_by_role("button", name="Send it").click()
    await page.locator(".problem", has_text="Write a header field like").wait_for()
    await page.get_by_label("Further header fields").fill("X-Ticket: 7")
    await page.get_by_role("button", name="Send it").click()
    await page.get_by_text("accepted: 250").wait_for()
    await site.shot("single-mail")


@pytest.mark.feature("F3", "B14")
async def test_a_number_becomes_a_mailing_or_a_list(window: Open, stock: Stock) -> None:
    """To those who did not open it a mailing is drafted, with them as its source; those who got it become a list."""
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{stock.sent}")
    await page.get_by_role("link", name="Send again to who did not open it").click()
    await page.get_by_label("Name of the list").fill("Once more")
    await page.get_by_role("button", name="Make the list").click()
    await page.get_by_text("on “Once more”").wait_for()
    await site.shot("follow-up")
    await page.get_by_role("button", name="Draft it").click()
    await page.get_by_role("checkbox", name="Who did not open it: Sent one (Completed)").wait_for()
    await site.drawn()
    await page.get_by_role("button", name="Save and count").click()
    await page.get_by_text("39 people will get it.").wait_for()
    await site.goto(f"/mailings/{stock.sent}")
    await page.get_by_role("button", name="Sent", exact=True).click()
    await page.locator("a[href*='group=sent']").click()
    assert await page.get_by_label("Who").first.input_value() == "sent"
