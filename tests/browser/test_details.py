"""What a mailing and its campaign say beside the letter: files, preheader, headers, stop rules, parameters of links."""

from pathlib import Path

import pytest

from shared.contracts import commands
from tests.browser.conftest import ANN, Open
from tests.browser.stock import Stock

pytestmark = pytest.mark.asyncio(loop_scope="session")

_LETTER = '<p>Hello {{ name }}</p><img src="cid:logo" alt="Logo"><a href="https://shop.example/">Look</a>'


@pytest.mark.feature("M2", "B24")
async def test_files_and_further_fields_go_with_a_mailing(window: Open, stock: Stock, tmp_path: Path) -> None:
    """An attachment and an image of the HTML, each refusal at its field; links get the parameters of the campaign."""
    for name in ("logo.png", "terms.pdf"):
        (tmp_path / name).write_bytes(name.encode() * 99)
    own = (await stock.ask(commands.Campaigns()))["campaigns"][0]["lists"]
    campaign = (await stock.do(commands.OpenCampaign(name="With parameters", lists=own)))["campaign"]
    mailing = await stock.draft("With files", campaign=campaign)
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/campaigns/{campaign}/edit")
    await page.locator("summary", has_text="Parameters of links").click()
    await page.get_by_label("utm_source").fill("news")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url("**/?at=*")

    await site.goto(f"/mailings/{mailing}/content")
    for summary in ("Attachments and images", "Styles, time zone"):
        await page.locator("summary", has_text=summary).click()
    for name in ("logo.png", "terms.pdf"):
        await page.get_by_label("Add a file").set_input_files(tmp_path / name)
        await page.get_by_text(f"{name} is there. Save to keep it.").wait_for()
    await page.get_by_label("Name in the HTML: logo.png").fill("logo")
    await page.get_by_label("Preheader").fill("Only this week")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.locator(".problem", has_text="Nothing in the HTML shows cid:logo").wait_for()
    assert await page.evaluate("document.activeElement.name") == "cid_0"
    await page.locator("[name=html]").fill(_LETTER)
    await page.get_by_label("Further header fields").fill("X-Project Spring")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.locator(".problem", has_text="Write a header field like").wait_for()
    await page.get_by_label("Further header fields").fill("X-Project: Spring")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url("**/content?at=*")
    await site.drawn()
    await site.shot("wizard-files")
    written = await stock.ask(commands.Draft(mailing=mailing))
    assert [(file["file_name"], file["content_id"]) for file in written["attachments"]] == [
        ("logo.png", "logo"),
        ("terms.pdf", ""),
    ]
    assert (written["preheader"], written["headers"]) == ("Only this week", {"X-Project": "Spring"})
    assert "https://shop.example/?utm_source=news" in written["html"]
    await page.get_by_role("checkbox", name="terms.pdf").uncheck()
    await page.get_by_role("button", name="Save and go on").click()

    await page.locator("summary", has_text="When it stops by itself").click()
    await page.get_by_label("Complaints, in percent").fill("101")
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.locator(".problem", has_text="less than or equal to 100").wait_for()
    await page.get_by_label("Complaints, in percent").fill("0.3")
    await page.get_by_label("Wrong addresses, in percent").fill("")
    tried = page.url
    await page.get_by_role("button", name="Save", exact=True).click()
    await page.wait_for_url(lambda url: url != tried)
    written = await stock.ask(commands.Draft(mailing=mailing))
    assert written["stop"] == {"after": 200, "bounces": None, "errors": 0.25, "complaints": 0.003}
    assert [file["file_name"] for file in written["attachments"]] == ["logo.png"]
