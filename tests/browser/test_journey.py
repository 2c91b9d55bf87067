"""From a CSV file to the export of the failed: by mouse, and by keyboard alone."""

from pathlib import Path

import pytest

from deploy.local import Local
from tests.browser.conftest import ANN, Open
from tests.browser.keys import Keys
from tests.browser.site import PASSWORD, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

_PEOPLE = """Email;Name;City
ann@one.example;Ann Ångström;Wien
bob@two.example;"Bob ""the"" Builder";Łódź
reject-1@three.example;Rita;Αθήνα
defer-1@four.example;Dora;תל אביב
not an address;Nobody;Wien
eve@five.example;Ève;
"""


@pytest.fixture
def people(tmp_path: Path) -> Path:
    """Return a file of six rows, one of which cannot be used."""
    path = tmp_path / "people.csv"
    path.write_text(_PEOPLE, "utf-8")
    return path


async def _completed(site: Site) -> None:
    await site.page.locator(".title-row .pill", has_text="Completed").wait_for(timeout=60_000)


@pytest.mark.timeout(240)
@pytest.mark.feature("P4", "A11", "G5", "G7", "P6")
async def test_a_mailing_by_mouse(window: Open, local: Local, people: Path) -> None:
    """Sign in, account, import, campaign, draft, audience, test, start, watch it complete, see who failed, export."""
    site = await window()
    page = site.page
    await site.sign_in(ANN)

    await page.get_by_role("link", name="Accounts").click()
    await site.drawn()
    await page.get_by_label("Name", exact=True).fill("Catcher")
    await page.get_by_label("Server").fill("127.0.0.1")
    await page.get_by_label("Port").fill(str(local.urls.smtp_port))
    await page.get_by_label("Encryption").select_option("none")
    await page.get_by_label("Sender addresses").fill("news@shop.example")
    await page.get_by_role("button", name="Add the account").click()
    account = page.get_by_role("article", name="Catcher")
    await account.get_by_text("Not tested").wait_for()
    await account.get_by_label("Test mail to").fill("me@shop.example")
    await account.get_by_role("button", name="Test").click()
    await account.get_by_text("Works").wait_for()
    await site.shot("accounts")

    await page.get_by_role("link", name="Contacts").click()
    await site.drawn()
    await page.get_by_label("CSV file").set_input_files(people)
    await page.get_by_role("cell", name='Bob "the" Builder').wait_for()
    await page.get_by_label("Into the list").fill("Readers")
    await site.shot("import-preview")
    await page.get_by_role("button", name="Import", exact=True).click()
    await page.get_by_text("Imported.").wait_for()
    await page.get_by_role("cell", name="not an address").wait_for()
    await site.shot("import-done")

    await page.get_by_role("link", name="Mailings", exact=True).click()
    await site.drawn()
    await page.get_by_role("link", name="New campaign").click()
    await page.get_by_label("Name").fill("Spring")
    await page.get_by_label("Readers").check()
    await page.get_by_role("button", name="Open the campaign").click()
    await page.get_by_role("heading", name="New mailing").wait_for()
    await page.get_by_label("Name", exact=True).fill("May")
    await page.get_by_label("Subject").fill("Hi {{ name }}")
    await site.shot("wizard-basics")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_role("button", name="Save and count").click()
    await page.get_by_text("5 people will get it.").wait_for()
    await site.shot("wizard-recipients")
    await page.get_by_role("link", name="See who").click()
    await page.get_by_role("button", name="Leave out: eve@five.example").click()
    await page.get_by_text("4 people get it, 1 left out.").wait_for()
    await page.get_by_role("button", name="Let in: eve@five.example").click()
    await page.get_by_text("5 people get it, 0 left out.").wait_for()
    await site.shot("audience")
    await page.get_by_role("link", name="← May").click()
    await site.shot("mailing-planned")
    await page.get_by_role("link", name="Go on: content").click()
    await page.get_by_role("heading", name="Content").wait_for()
    await site.drawn()
    await page.get_by_label("HTML").fill("<p>Hello {{ nobody }}</p>")
    await page.get_by_role("button", name="Save and go on").click()
    await page.locator(".problem", has_text="nobody").wait_for()
    assert await page.get_by_label("HTML").get_attribute("aria-invalid") == "true"
    await site.shot("draft-refused")
    await page.get_by_label("HTML").fill('<p>Hello {{ name }}, <a href="https://shop.example/">look</a></p>')
    await page.get_by_role("button", name="Preview", exact=True).click()
    await page.frame_locator("iframe").get_by_text("Hello Ann Example").wait_for()
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url("**/content?at=*")
    await site.drawn()
    await page.get_by_text("There is no text body.").wait_for()
    await page.get_by_label("Preview for a contact").fill("bob@two.example")
    await page.get_by_role("button", name="Show", exact=True).click()
    await page.frame_locator("iframe").get_by_text('Hello Bob "the" Builder').wait_for()
    await page.get_by_label("Send a test to").fill("me@shop.example")
    await page.get_by_role("button", name="Send the test").click()
    await page.get_by_text("accepted: 250").wait_for()
    await site.shot("wizard-content")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_label("Time zone", exact=True).fill("Nowhere")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_text("There is no time zone 'Nowhere'.").wait_for()
    await page.get_by_label("Time zone", exact=True).fill("Europe/Vienna")
    await site.shot("wizard-schedule")
    await page.get_by_role("button", name="Save and go on").click()
    await page.get_by_role("button", name="Fix the recipients").click()
    await page.get_by_text("5 people will get it.").wait_for()
    await site.shot("wizard-check")
    await page.get_by_role("button", name="Start now").click()
    await _completed(site)

    await page.get_by_role("button", name="Failed", exact=True).click()
    failed = page.get_by_role("row", name="reject-1@three.example")
    await failed.get_by_text("550 5.1.1 no such mailbox").wait_for()
    await page.locator("tbody tr").nth(1).wait_for(state="detached")
    await site.shot("mailing-failed")
    await page.get_by_role("button", name="Verify").click()
    await page.get_by_text("Balanced. 5 recipients: 4 accepted, 1 rejected.").wait_for()
    async with page.expect_download() as download:
        await page.get_by_role("link", name="Export CSV").click()
    exported = (await (await download.value).path()).read_text("utf-8")
    assert "reject-1@three.example" in exported
    assert len(exported.splitlines()) == 6
    await page.get_by_role("button", name="All", exact=True).click()
    await page.get_by_role("rowheader", name="eve@five.example").wait_for()
    await site.shot("mailing-completed")
    await page.get_by_role("link", name="← All mailings").click()
    await site.drawn()
    await page.get_by_text("4 of 5 sent, 1 failed").wait_for()
    await site.shot("mailings")


@pytest.mark.timeout(240)
@pytest.mark.feature("G7")
async def test_a_mailing_by_keyboard(window: Open, local: Local, people: Path) -> None:
    """The same without a mouse: everything is reached by Tab, in order, and whatever has the focus shows it."""
    site = await window()
    page, keys = site.page, Keys(site.page)
    await page.goto(site.url)
    await page.keyboard.type(ANN)
    await keys.write("Password", PASSWORD)
    await page.keyboard.press("Enter")
    await page.wait_for_url(site.url + "/")
    await site.drawn()
    await keys.press("Skip to content")
    assert await page.evaluate("document.activeElement.id") == "content"

    await site.goto("/accounts")
    await keys.write("Name", "By keyboard")
    await keys.write("Server", "127.0.0.1")
    await keys.write("Port", str(local.urls.smtp_port))
    await keys.to("Encryption")
    await page.keyboard.type("None")
    await keys.write("Sender addresses", "keys@shop.example")
    await page.keyboard.press("Enter")
    account = page.get_by_role("article", name="By keyboard")
    await account.wait_for()
    await account.get_by_label("Test mail to").focus()
    await page.keyboard.press("Enter")
    await account.get_by_text("Works").wait_for()

    await site.goto("/contacts")
    await keys.choose("CSV file", people)
    await page.get_by_label("Into the list").wait_for()
    await keys.write("Into the list", "Keyboards")
    await keys.press("Import")
    await page.get_by_text("Imported.").wait_for()

    await site.goto("/")
    await keys.press("New campaign")
    await page.get_by_role("heading", name="New campaign").wait_for()
    await keys.write("Name", "Keys")
    await keys.to("Keyboards (5 contacts)")
    if not await page.get_by_label("Keyboards (5 contacts)").is_checked():  # the only list is chosen by itself
        await page.keyboard.press("Space")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="New mailing").wait_for()
    await site.drawn()
    await keys.write("Name", "Typed")
    await keys.write("Sender address", "keys@shop.example")
    await keys.to("Account")
    await page.keyboard.type("By keyboard")
    await keys.write("Subject", "Hi {{ name }}")
    await keys.press("Save and go on")
    await page.get_by_role("button", name="Save and count").wait_for()
    await site.drawn()
    await keys.press("Save and count")
    await page.get_by_text("5 people will get it.").wait_for()
    await site.drawn()
    await keys.press("Content")
    await page.get_by_role("heading", name="Content").wait_for()
    await site.drawn()
    await keys.write("HTML", '<p>Hello, <a href="https://shop.example/">look</a></p>')
    await keys.press("Save")
    await page.wait_for_url("**/content?at=*")
    await site.drawn()
    await keys.write("Send a test to", "me@shop.example")
    await page.keyboard.press("Enter")
    await page.get_by_text("accepted: 250").wait_for()
    await keys.press("Schedule")
    await page.get_by_label("Time zone", exact=True).wait_for()
    await site.drawn()
    await keys.press("Sending hours, days, holidays", "Enter", "summary")
    await keys.write("Not on public holidays of", "XX")
    await page.keyboard.press("Enter")
    await page.get_by_text("There is no holiday calendar 'XX'").wait_for()
    assert await page.evaluate("document.activeElement.name") == "holidays"
    await page.keyboard.press("Control+A")
    await page.keyboard.press("Delete")
    await page.keyboard.press("Enter")
    await page.get_by_role("heading", name="Check and start").wait_for()
    await site.drawn()
    await keys.press("Fix the recipients")
    await page.get_by_text("5 people will get it.").wait_for()
    await keys.press("Start now")
    await _completed(site)
    await keys.press("Failed")
    await page.get_by_role("row", name="reject-1@three.example").wait_for()
    await page.locator("tbody tr").nth(1).wait_for(state="detached")
    async with page.expect_download():
        await keys.press("Export CSV")
    await keys.press("Delete")
    await page.get_by_role("heading", name="Delete this mailing?").wait_for()
    await page.keyboard.press("Escape")
    await page.get_by_role("heading", name="Delete this mailing?").wait_for(state="hidden")
    assert await page.evaluate("document.activeElement.innerText") == "Delete"
    assert not keys.unseen, keys.unseen
