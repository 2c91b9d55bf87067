"""The search among people: a field for part of an address or a name, sent as a whole."""

from collections.abc import Awaitable, Callable

from nicegui.events import GenericEventArguments

from services.reporting.console.html import tag

_LABEL = "Search for an address or a name"
_SENT = "(e) => { e.preventDefault(); emit(e.target.elements.search.value); }"


def search_form(name: str, searched: Callable[[str], Awaitable[None]]) -> None:
    """Draw it; `name` tells it from others on the page."""

    async def sent(event: GenericEventArguments) -> None:
        await searched(str(event.args))

    with tag("form", "", "search", role="search").on("submit", sent, js_handler=_SENT):
        tag("label", _LABEL, "unseen", for_=f"{name}-search")
        tag("input", id=f"{name}-search", name="search", type="search", placeholder=_LABEL, maxlength=200)
        tag("button", "Search", "button", type="submit")
