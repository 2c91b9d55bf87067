"""The console as an application: NiceGUI with all pages.

NiceGUI keeps its routes in one place for the process, so a process has one console. It stores nothing: who is signed in
stands in the cookie of the browser, everything else is asked of the APIs.
"""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo, available_timezones

from fastapi import FastAPI
from nicegui import core, ui
from starlette.requests import Request
from starlette.responses import Response

from services.reporting.console import pages
from services.reporting.console.desk import AwayError, Desk
from services.reporting.console.frame import Frame, frame_of
from services.reporting.console.sign_in import SESSION, ZONE, Door, way_in
from shared.contracts.principals import Permission

_FOLDER = Path(__file__).parent
_PATIENCE = 20.0
_FOR_EVER = {"Cache-Control": "public, max-age=31536000, immutable"}
"""Longer than any answer takes: a page says by itself what does not answer."""

Admit = Callable[[str, Request], Awaitable[Desk | None]]
Build = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class Asset:
    """One file of our own, named by its content, so browsers may keep it."""

    path: str
    body: bytes
    kind: str

    @classmethod
    def of(cls, name: str, kind: str) -> "Asset":
        """Read it."""
        body = (_FOLDER / name).read_bytes()
        stem, _, suffix = name.partition(".")
        return cls(f"/assets/{stem}.{hashlib.sha256(body).hexdigest()[:12]}.{suffix}", body, kind)

    def serve(self, app: FastAPI) -> None:
        """Answer requests for it."""
        app.add_api_route(self.path, self._respond, methods=["GET"], include_in_schema=False)

    async def _respond(self) -> Response:
        return Response(self.body, media_type=self.kind, headers=_FOR_EVER)


@dataclass(frozen=True)
class Console:
    """Registers pages.

    Attributes:
        admit: Session and request -> the desk of its user, None if the session does not hold.
    """

    admit: Admit
    style: Asset
    script: Asset

    def page(
        self, path: str, title: str, permission: Permission | None = "view", here: str = ""
    ) -> Callable[[Build], Build]:
        """Register a page for those who are signed in and have `permission`; for all of them where it is None."""

        def register(build: Build) -> Build:
            async def show(request: Request) -> Response | None:
                desk = await self._desk(request)
                if isinstance(desk, Response):
                    return desk
                ui.add_head_html(
                    f'<link rel="stylesheet" href="{self.style.path}"><script src="{self.script.path}"></script>'
                )
                frame = frame_of(desk, title, here or path)

                async def draw() -> None:
                    if permission is None or desk.may(permission):
                        await build(frame, **request.path_params)
                    else:
                        pages.forbidden(permission)

                await frame.fill(draw)
                return None

            ui.page(path, response_timeout=_PATIENCE)(show)
            return build

        return register

    async def _desk(self, request: Request) -> Desk | Response:
        token = request.cookies.get(SESSION, "")
        try:
            desk = await self.admit(token, request) if token else None
        except AwayError as error:  # nobody can be told apart: say so, the browser asks again
            return Response(f"{error}\n", 503, {"Retry-After": "2", "Refresh": "2"}, "text/plain; charset=utf-8")
        if desk is None:
            return way_in(request)
        zone = request.cookies.get(ZONE, "")
        desk.zone = ZoneInfo(zone) if zone in available_timezones() else ZoneInfo("UTC")
        at = request.query_params.get("at", "")
        desk.position = int(at[:18]) if at.isdecimal() else 0
        return desk


def mount(app: FastAPI, admit: Admit, door: Callable[[Asset, Asset], Door]) -> None:
    """Put the console on `app`."""
    style, script = Asset.of("console.css", "text/css"), Asset.of("console.js", "text/javascript")
    for asset in (style, script):
        asset.serve(app)
    door(style, script).stand(app)
    pages.register(Console(admit, style, script))
    core.app.user_middleware.clear()  # a console before this one in the same process, as in tests, is done with
    core.app.middleware_stack = None
    ui.run_with(
        app,
        title="Posthaste",
        favicon=_FOLDER / "favicon.svg",
        language="en-US",
        dark=None,
        tailwind=False,
        show_welcome_message=False,
        reconnect_timeout=10.0,
    )


__all__ = ["Console", "Frame", "mount"]
