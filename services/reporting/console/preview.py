"""A mail as it looks: subject, HTML in a frame without scripts and without anything from elsewhere, text.

The frame takes no focus, which it could not show: what is around it does, and scrolls by keyboard.
"""

import re
from html import escape

from services.reporting.console.html import tag

_PLACEHOLDER = re.compile(r"""{{\s*([^}|\s]+)\s*(?:\|\s*default\((?:"([^"]*)"|'([^']*)')\)\s*)?}}""")
_ENCLOSED = re.compile(r"""(?<=["'(])\s*cid:[^"')\s]+""", re.IGNORECASE)
_IMAGE = (
    (
        "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='120' height='60'%3E"
        "%3Crect width='120' height='60' fill='%23ddd'/%3E%3C/svg%3E"
    )
    .replace("'", "%27")
    .replace(" ", "%20")
)
"""Stands where the mail shows a file that goes with it."""
_SAMPLE = {
    "name": "Ann Example",
    "email": "ann@example.com",
    **dict.fromkeys(("unsubscribe_url", "optouturl", "optinurl"), "#"),
    "optoutlink": "Unsubscribe",
    "optinlink": "Yes, subscribe me",
}


def preview(subject: str, html: str, text: str) -> None:
    """Draw the preview of a mail."""
    tag("p", _filled(subject) or "No subject yet", "preview-subject")
    if html.strip():
        page = f"<base target='_blank'>{_ENCLOSED.sub(_IMAGE, _filled(html, safe=True))}"
        with tag("div", "", "preview-frame", tabindex=0, role="region", aria_label="Preview of the mail"):
            tag("iframe", "", "preview", srcdoc=page, sandbox="", inert=True, title="The mail as HTML")
    if text.strip():
        tag("pre", _filled(text), "preview")


def _filled(source: str, *, safe: bool = False) -> str:
    """Put sample values in the place of placeholders."""

    def value(match: re.Match[str]) -> str:
        name = match[1].lower()
        default = next((group for group in match.groups()[1:] if group is not None), f"[{name}]")
        return escape(_SAMPLE.get(name, default)) if safe else _SAMPLE.get(name, default)

    return _PLACEHOLDER.sub(value, source)
