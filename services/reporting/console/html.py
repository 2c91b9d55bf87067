"""Plain HTML elements as NiceGUI elements: semantic, small, styled by console.css alone."""

from html import escape
from typing import Any

from nicegui import ui
from nicegui.element import Element


class Tag(Element):
    """One HTML element with text, classes and attributes: `tag("a", "Mailings", href="/")`."""

    def __init__(self, name: str, text: str = "", classes: str = "", attributes: dict[str, Any] | None = None) -> None:
        super().__init__(name)
        if classes:
            self.classes(classes)
        for attribute, value in (attributes or {}).items():
            self._props[attribute] = value
        if text:
            self._text = text

    def say(self, text: str) -> None:
        """Replace the text."""
        if text != (self._text or ""):
            self._text = text
            self.update()

    def put(self, **attributes: Any) -> None:  # noqa: ANN401 - whatever the attribute holds
        """Set attributes; None removes one."""
        changed = False
        for attribute, value in attributes.items():
            name = attribute.rstrip("_").replace("_", "-")
            if self._props.get(name) != value:
                changed = True
                if value is None:
                    self._props.pop(name, None)
                else:
                    self._props[name] = value
        if changed:
            self.update()


def tag(name: str, text: str = "", classes: str = "", /, **attributes: Any) -> Tag:  # noqa: ANN401 - as above
    """Return an element; `for_` and `data_x` become the attributes `for` and `data-x`."""
    spelled = {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items() if value is not None}
    return Tag(name, text, classes, spelled)


def link(text: str, href: str, classes: str = "", /, **attributes: Any) -> Tag:  # noqa: ANN401 - as above
    """Return a link."""
    return tag("a", text, classes, href=href, **attributes)


def pill(text: str, tone: str) -> Tag:
    """Return a state in its colour."""
    return tag("span", text, "pill", data_tone=tone)


def markup(html: str, name: str = "div", classes: str = "") -> ui.html:
    """Return HTML that we wrote ourselves; whatever others wrote in it went through `escape`."""
    return ui.html(html, sanitize=False, tag=name).classes(classes)


def safe(text: object) -> str:
    """Return text of others for use in `markup`."""
    return escape(str(text))
