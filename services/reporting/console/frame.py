"""The frame of every page: who is signed in, where one can go, and what is wrong at present.

The content of a page is a function that reads and draws. When a service does not answer it is replaced by a banner
with a button, and tried again every two seconds until it is there; other refusals are shown as they come.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Self

from nicegui import ui
from nicegui.element import Element

from services.reporting.console.desk import AwayError, Desk, RefusedError, SignedOutError
from services.reporting.console.html import Tag, link, tag
from services.reporting.console.live import later
from shared.contracts.principals import Permission

_AGAIN = 2.0
_SHOWN = 8.0

_PLACES: tuple[tuple[str, str, Permission], ...] = (
    ("/", "Mailings", "view"),
    ("/contacts", "Contacts", "view"),
    ("/templates", "Templates", "view"),
    ("/accounts", "Accounts", "view"),
    ("/health", "Health", "view"),
    ("/mailboxes", "Mailboxes", "administer"),
    ("/parked", "Parked", "administer"),
    ("/access", "Access", "administer"),
)

Draw = Callable[[], Awaitable[None]]


@dataclass
class Frame:
    """The frame of one page; draw into it with `await frame.fill(draw)`."""

    desk: Desk
    content: Tag
    banner: Tag
    status: Tag
    _said: int = 0

    async def fill(self, draw: Draw) -> None:
        """Draw the content; come back to it until it can be drawn."""
        section = Section(self, self.content, draw)
        await section.draw()

    def say(self, text: str) -> None:
        """Tell what was done, visibly and to screen readers."""
        self.status.say(text)
        self.status.put(hidden=None)
        self._said += 1
        later(_SHOWN, partial(self._fade, self._said))

    async def _fade(self, said: int) -> None:
        if said == self._said:
            self.status.put(hidden=True)

    def away(self, message: str, again: Callable[[], Awaitable[None]]) -> None:
        """Show that a service does not answer."""
        self.banner.clear()
        with self.banner:
            tag("span", message)
            tag("button", "Try again", "button small", type="button").on("click", again)
        self.banner.put(hidden=None)

    def back(self) -> None:
        """Take the banner away."""
        self.banner.put(hidden=True)


class Section:
    """A part of a page that is drawn anew as a whole."""

    def __init__(self, frame: Frame, place: Element, draw: Draw) -> None:
        self._frame = frame
        self._place = place
        self._draw = draw
        self._waiting = False

    async def draw(self) -> None:
        """Draw it, or show why not and try again."""
        self._place.clear()
        try:
            with self._place:
                await self._draw()
        except AwayError as error:  # shown, and tried again until it answers
            self._place.clear()
            self._frame.away(str(error), self.draw)
            if not self._waiting:
                self._waiting = True
                later(_AGAIN, self._retry)
        except SignedOutError:  # the session has ended: sign in and come back
            ui.navigate.to("/sign-in")
        except RefusedError as error:
            self._place.clear()
            with self._place:
                nothing("This cannot be shown", error.refusal.message, "Back to the mailings", "/")
            self._frame.back()
        else:
            self._frame.back()

    async def _retry(self) -> None:
        self._waiting = False
        await self.draw()


def frame_of(desk: Desk, title: str, here: str) -> Frame:
    """Draw the frame and return it."""
    ui.page_title(f"{title} · Posthaste")
    with ui.header(fixed=False, elevated=False, wrap=False, add_scroll_padding=False).classes("top"):
        link("Skip to content", "#content", "skip")
        with tag("div", "", "top-row"):
            link("Posthaste", "/", "brand", aria_label="Posthaste, mailings")
            with tag("nav", "", "places", aria_label="Main"), tag("ul"):
                for path, label, permission in _PLACES:
                    if desk.may(permission):
                        with tag("li"):
                            link(label, path, aria_current="page" if path == here else None)
            with tag("form", "", "who", method="post", action="/sign-out"):
                link(desk.name, "/me", "who-name")
                tag("button", "Sign out", "button quiet small", type="submit")
    banner = tag("div", "", "banner", role="alert", hidden=True)
    status = tag("div", "", "notice", role="status", hidden=True)
    content = tag("div", "", "content", id="content", tabindex="-1")
    return Frame(desk, content, banner, status)


@dataclass
class Heading:
    """The head of a page: draw actions inside it, and a state `beside` the title."""

    beside: Tag
    actions: Tag

    def __enter__(self) -> Self:
        self.actions.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.actions.__exit__(*exc)


def heading(title: str, lead: str = "") -> Heading:
    """Draw the heading of a page."""
    with tag("div", "", "heading"):
        with tag("div", "", "heading-text"):
            with tag("div", "", "title-row") as beside:
                tag("h1", title)
            if lead:
                tag("p", lead, "lead")
        actions = tag("div", "", "actions")
    return Heading(beside, actions)


def nothing(title: str, text: str, action: str = "", href: str = "") -> None:
    """Draw what to do next where there is nothing yet."""
    with tag("div", "", "nothing"):
        tag("h2", title)
        tag("p", text)
        if action:
            link(action, href, "button primary")
