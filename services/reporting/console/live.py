"""What happens at a page while nobody clicks: news as they come, and things done a little later.

Everything ends with the page. News that stop coming are asked for again; meanwhile the page says that they do not come.
"""

import asyncio
from collections.abc import Awaitable, Callable

from nicegui import background_tasks, context
from nicegui.client import Client

from services.reporting.console.desk import AwayError, Data, Desk, SignedOutError

_PAUSE = 1.0
_LEAST = 0.2

Do = Callable[[], Awaitable[None]]


def later(seconds: float, do: Do) -> None:
    """Do something once, if the page is still there then."""
    client = context.client

    async def run() -> None:
        await asyncio.sleep(seconds)
        if not client.is_deleted:
            with client:
                await do()

    _with_the_page(client, run())


def follow(
    desk: Desk, mailing: str, news: Callable[[Data], Awaitable[None]], away: Callable[[AwayError], None]
) -> None:
    """Call `news` with what happens to `mailing` ("" for all), at most five times a second; `away` while none comes."""
    client = context.client

    async def run() -> None:
        while not client.is_deleted:
            try:
                async for data in desk.asks.live(mailing):
                    with client:
                        await news(data)
                    await asyncio.sleep(_LEAST)
            except AwayError as error:  # it is restarted: say so, then listen again
                with client:
                    away(error)
            except SignedOutError:  # the next request of the page leads to the sign-in
                return
            await asyncio.sleep(_PAUSE)

    _with_the_page(client, run())


def _with_the_page(client: Client, work: Awaitable[None]) -> None:
    task = background_tasks.create(work, name="console page")
    client.on_delete(task.cancel)
