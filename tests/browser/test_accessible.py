"""Every page before the rules of axe (names, roles, contrast, labels, order of headings), and on a phone."""

import json
from importlib.resources import files

import pytest

from services.reporting.console.pages.wizard.steps import STEPS
from shared.contracts import commands
from tests.browser.conftest import ANN, Open
from tests.browser.site import DESK, PHONE, Site
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
    "/parked",
    "/access",
    "/me",
    "/campaigns/new",
    "/mailings/new",
    "/mails/new",
    "/series",
    "/series/new",
)
_OF_SENT = ("", "/audience", "/follow-up")
_OF_PLANNED = ("", *(f"/{step}" for step, _ in STEPS))
_DARK = (("/",), ("",), ("", "/content", "/check"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_and_every_page_fits_a_phone(window: Open, stock: Stock, scheme: str) -> None:
    """No page breaks a rule that keeps somebody out, in light and in dark, and none is wider than 390 pixels."""
    site = await window(color_scheme=scheme)
    found: dict[str, list[str]] = {}
    await site.page.goto(site.url + "/sign-in")
    found["sign-in"] = await _broken(site)
    await site.sign_in(ANN)
    of_all, of_sent, of_planned = (_PAGES, _OF_SENT, _OF_PLANNED) if scheme == "light" else _DARK
    paths = {path: path.strip("/").replace("/", "-") or "mailings" for path in of_all}
    if scheme == "light":
        own = next(
            one for one in (await stock.ask(commands.Campaigns()))["campaigns"] if one["campaign"] == stock.campaign
        )
        paths |= {
            f"/campaigns/{own['campaign']}/edit": "campaign-edit",
            f"/accounts/{stock.account}/edit": "account-edit",
            f"/lists/{own['lists'][0]}/confirmation": "list-confirmation",
            f"/lists/{own['lists'][0]}/members": "list-members",
            f"/series/new?mailing={stock.planned}": "series-new-like",
        }
    paths |= {f"/mailings/{stock.sent}{part}": f"mailings-sent{part.replace('/', '-')}" for part in of_sent}
    paths |= {f"/mailings/{stock.planned}{part}": f"mailings-planned{part.replace('/', '-')}" for part in of_planned}
    for path, name in paths.items():
        await site.goto(path)
        found[name] = await _broken(site)
        await site.page.set_viewport_size(PHONE)
        await site.shot(f"phone-{name}" if scheme == "light" else f"phone-dark-{name}")
        if await site.page.evaluate("document.documentElement.scrollWidth") > PHONE["width"]:
            found[name].append("wider than a phone")
        await site.page.set_viewport_size(DESK)
    wrong = {name: broken for name, broken in found.items() if broken}
    assert not wrong, json.dumps(wrong, indent=1)


async def _broken(site: Site) -> list[str]:
    """Return the rules that a page breaks, with the elements."""
    await site.page.evaluate(_AXE.read_text("utf-8"))
    rules = await site.page.evaluate(_RUN)
    return [f"{rule['id']}: {json.dumps([node['html'] for node in rule['nodes']])[:400]}" for rule in rules]
