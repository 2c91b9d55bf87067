"""A person at the console: pages in Chromium, watched for errors and for requests to anywhere else."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Request, WebSocket

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "a-horse-of-course"
SHOTS = Path(__file__).resolve().parents[2] / "artefacts" / "screenshots"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 860}
_PATIENCE = 60_000


def missing() -> str:
    """Return why no browser can be tried here, "" where one can; a build must have one."""
    if shutil.which(CHROMIUM) or os.environ.get("CI"):
        return ""
    return "Chromium is not installed: apt-get install chromium"


class Site:
    """One browser window of one person."""

    def __init__(self, url: str, context: BrowserContext, page: Page) -> None:
        self.url = url
        self.context = context
        self.page = page
        self.wrong: list[str] = []
        self.foreign: list[str] = []
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.wrong.append(str(error)))
        page.on("request", self._asked)
        page.on("websocket", self._connected)

    @classmethod
    async def opened(cls, browser: Browser, url: str, **options: Any) -> "Site":  # noqa: ANN401 - of the context
        """Open a window that shares nothing with others."""
        context = await browser.new_context(**{"viewport": DESK, "timezone_id": "Europe/Vienna"} | options)
        context.set_default_timeout(_PATIENCE)
        return cls(url, context, await context.new_page())

    async def close(self) -> None:
        """Close it and hold that nothing went wrong in it, and that nothing was asked of anybody else."""
        await self.context.close()
        assert not self.wrong, self.wrong
        assert not self.foreign, self.foreign

    async def goto(self, path: str) -> None:
        """Open a page of the console and wait until it is drawn and live."""
        await self.page.goto(self.url + path)
        await self.drawn()

    async def drawn(self) -> None:
        """Wait until the page is drawn and its socket is open."""
        await self.page.wait_for_selector("#content h1, #content .nothing, .door h1, .banner:not([hidden])")
        if not await self.page.query_selector(".door"):
            await self.page.wait_for_function("window.socket?.connected || window.did_handshake")

    async def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Sign in by mouse."""
        await self.page.goto(self.url + "/sign-in")
        await self.page.get_by_label("E-mail address").fill(email)
        await self.page.get_by_label("Password").fill(password)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(self.url + "/")
        await self.drawn()

    async def shot(self, name: str) -> None:
        """Keep a picture of the page as it is."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        await self.page.screenshot(path=SHOTS / f"{name}.png", full_page=True)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.wrong.append(message.text)

    def _asked(self, request: Request) -> None:
        self._judge(request.url)

    def _connected(self, socket: WebSocket) -> None:
        self._judge(socket.url)

    def _judge(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "about", "blob") and parts.hostname != "127.0.0.1":
            self.foreign.append(url)
