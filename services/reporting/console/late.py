"""The console beside the API: whatever the API does not answer is the console's.

It is brought up when somebody asks for it for the first time: what draws its pages takes longer to load than all the
rest of reporting, and more memory, which a process that nobody looks at does not spend. Until then requests wait; an
error on the way answers 500, and the next request tries again.
"""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from services.reporting.console.guard import Guard
from services.reporting.settings import ReportingSettings
from shared.keys import KeyRing
from shared.messaging.principals import Principals
from shared.messaging.service import Service


def add_console(
    service: Service, app: Starlette, settings: ReportingSettings, principals: Principals, keys: KeyRing
) -> None:
    """Put the console on `app`."""

    def make() -> Starlette:
        from services.reporting.console.entrance import console_of  # noqa: PLC0415 - see above

        return console_of(service, settings, principals, keys)

    app.mount("/", Late(service, make))
    app.add_middleware(Guard, api="/v1/")


class Late:
    """An application that is made at its first request."""

    def __init__(self, service: Service, make: Callable[[], Starlette]) -> None:
        self._service = service
        self._make = make
        self._made: ASGIApp | None = None
        self._turn = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        async with self._turn:
            self._made = self._made or await self._brought_up()
        await self._made(scope, receive, send)

    async def _brought_up(self) -> ASGIApp:
        """Make it beside the event loop, which goes on answering meanwhile, and have it live as long as the service."""
        app = await asyncio.to_thread(self._make)
        life = AsyncExitStack()
        await life.enter_async_context(app.router.lifespan_context(app))
        self._service.on_stop(life.aclose)
        return app
