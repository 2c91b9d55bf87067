"""One installation and one browser for the tests here that a process runs; each test has a window of its own."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, async_playwright

from deploy.local import Local
from shared.eventlog.connection import close
from tests.browser.site import ARGUMENTS, CHROMIUM, PASSWORD, Site, missing
from tests.browser.stock import Stock, stocked
from tests.harness.installations import Quick
from tests.harness.posthaste import Posthaste

ANN = "ann@shop.example"
VERA = "vera@shop.example"

Open = Callable[..., Awaitable[Site]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip where there is no browser."""
    if why := missing():
        here = Path(__file__).parent
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason=why))


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Yield Chromium."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def local(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Local]:
    """Yield an installation with a person who may do everything, and one who may only look."""
    quick = {"POSTHASTE_RETRY_FIRST": "1", "POSTHASTE_RETRY_LONGEST": "2", "POSTHASTE_ACK_WAIT": "3"}
    async with Quick(tmp_path_factory.mktemp("console") / "data", ports="free", extra=quick) as running:
        await people_of(running)
        yield running


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def stock(local: Local) -> AsyncIterator[Stock]:
    """Yield a mailing that was sent and one that is planned."""
    nc = await local.connect("operator")
    yield await stocked(nc, local)
    await close(nc)


async def people_of(local: Local) -> Posthaste:
    """Add the two people; return the command line of the installation."""
    posthaste = Posthaste(local.folder.path)
    posthaste.environment["POSTHASTE_USER_PASSWORD"] = PASSWORD
    for name, email, may in (("Ann Example", ANN, "all"), ("Vera Viewer", VERA, "view")):
        ended = await posthaste("user", "add", "--name", name, "--email", email, "--permission", may)
        assert ended.code == 0, ended.error
    return posthaste


@pytest_asyncio.fixture(loop_scope="session")
async def window(browser: Browser, local: Local) -> AsyncIterator[Open]:
    """Return what opens a window on the console; each is closed and judged at the end."""
    opened: list[Site] = []

    async def open_window(**options: object) -> Site:
        opened.append(await Site.opened(browser, local.urls.reporting, **options))
        return opened[-1]

    yield open_window
    for site in opened:
        await site.close()
