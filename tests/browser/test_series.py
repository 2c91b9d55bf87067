"""Recurring mailings: made like a mailing that is there, edited, seen come round, stopped."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.contracts import commands
from tests.browser.conftest import ANN, VERA, Open
from tests.browser.stock import Stock
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def _coming(stock: Stock) -> str:
    """Open one that comes round once, soon."""
    own = ("campaign", "account")
    draft = {name: getattr(stock, name) for name in own} | {"name": "Soon", "sender_address": "stock@shop.example"}
    at = datetime.now(UTC) + timedelta(seconds=25)  # the page is tried meanwhile
    rhythm = {"every": "day", "at": f"{at:%H:%M:%S}", "zone": "UTC", "times": 1}
    wanted = {"draft": draft | {"subject": "Again", "text": "Hello"}, "rhythm": rhythm}
    return str((await stock.do(commands.OpenSeries.model_validate(wanted)))["series"])


@pytest.mark.feature("B12")
async def test_a_mailing_is_made_again_and_again_and_stopped(window: Open, stock: Stock) -> None:
    """It is made like another; what was said stands in the form; its page shows what it made; viewers stop nothing."""
    coming = await _coming(stock)
    site = await window()
    page = site.page
    await site.sign_in(ANN)
    await site.goto(f"/mailings/{stock.planned}")
    await page.get_by_role("link", name="Make it recurring").click()
    await site.drawn()
    await page.get_by_label("Name").fill("Weekly")
    await page.get_by_role("checkbox", name="Mon", exact=True).first.uncheck()
    await page.get_by_role("button", name="Have it made").click()
    await page.get_by_text("Choose at least one day.").wait_for()
    await page.get_by_role("checkbox", name="Thu").first.check()
    await page.locator("summary", has_text="Sending hours").click()
    await page.locator("[name=from]").fill("08:00")
    await page.locator("[name=until]").fill("18:00")
    await page.get_by_label("Time zone").fill("Nowhere")
    await page.get_by_role("button", name="Have it made").click()
    await page.locator(".problem", has_text="Nowhere").wait_for()
    await page.get_by_label("Time zone").fill("Europe/Vienna")
    await site.shot("series-new")
    await page.get_by_role("button", name="Have it made").click()
    await page.get_by_text("It did not come round yet.").wait_for()
    await page.get_by_text("every Thu at 09:00 (Europe/Vienna)").wait_for()
    series = page.url.partition("/series/")[2].partition("?")[0]
    await page.get_by_role("link", name="Edit").click()
    await site.drawn()
    assert await page.locator("[name=from]").input_value() == "08:00"
    await page.get_by_label("It comes round").select_option("month")
    await page.get_by_label("On day").fill("31")
    await page.get_by_label("So many mailings").fill("3")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_text("on day 31 of the month at 09:00 (Europe/Vienna), 3 times in all").wait_for()
    shown = await _shown(stock, series)
    assert (shown["draft"]["subject"], shown["draft"]["campaign"]) == ("Hello {{ name }}", stock.campaign)
    assert shown["hours"]["end"] == "18:00:00"
    await page.get_by_role("button", name="Stop", exact=True).click()
    await page.get_by_role("button", name="Stop it").click()
    await page.locator(".pill", has_text="Stopped").wait_for()

    async def made() -> bool:
        return bool((await _shown(stock, coming))["made"])

    await until(made, 120, every=0.5)
    other = await window()
    await other.sign_in(VERA)
    await other.page.get_by_role("link", name="Recurring mailings").click()
    await other.page.get_by_role("row", name="Soon").get_by_text("Over").wait_for()
    await other.shot("series")
    await other.page.get_by_role("link", name="Soon").click()
    await other.page.get_by_role("link", name="The mailing").wait_for()
    assert await other.page.get_by_role("button", name="Stop").count() == 0
    await other.shot("series-one")
    await other.page.get_by_role("link", name="The mailing").click()
    await other.page.get_by_role("heading", name="Soon").wait_for()


async def _shown(stock: Stock, series: str) -> dict[str, Any]:
    return await stock.ask(commands.ShowSeries(series=series))
