"""Every page before the rules of axe: names, roles, contrast, labels, order of headings."""

import json
from importlib.resources import files

import pytest

from services.reporting.console.pages.wizard.steps import STEPS
from tests.browser.conftest import ANN, Open
from tests.browser.stock import Stock

pytestmark = pytest.mark.asyncio(loop_scope="session")

_AXE = files("axe_playwright_python").joinpath("axe.min.js")
_RUN = "async () => (await axe.run()).violations.filter((found) => ['serious', 'critical'].includes(found.impact))"
_PAGES = (
    "/",
    "/contacts",
    "/templates",
    "/templates/new",
    "/accounts",
    "/mailboxes",
    "/health",
    "/access",
    "/me",
    "/campaigns/new",
    "/mailings/new",
    "/mails/new",
)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(window: Open, stock: Stock, scheme: str) -> None:
    """No page breaks a rule that keeps somebody out, in light and in dark."""
    site = await window(color_scheme=scheme)
    page = site.page
    found: dict[str, list[str]] = {}
    await page.goto(site.url + "/sign-in")
    planned = f"/mailings/{stock.planned}"
    steps = [f"{planned}/{step}" for step, _ in STEPS]
    paths = ["/sign-in", *_PAGES, f"/mailings/{stock.sent}", f"/mailings/{stock.sent}/follow-up", planned, *steps]
    for path in (
        paths if scheme == "light" else ["/sign-in", "/", f"/mailings/{stock.sent}", planned, f"{planned}/check"]
    ):
        if path == "/":
            await site.sign_in(ANN)
        await site.goto(path)
        await page.evaluate(_AXE.read_text("utf-8"))
        for rule in await page.evaluate(_RUN):
            found.setdefault(path, []).append(
                f"{rule['id']}: {json.dumps([node['html'] for node in rule['nodes']])[:400]}"
            )
    assert not found, json.dumps(found, indent=1)
