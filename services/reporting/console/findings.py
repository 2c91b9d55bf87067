"""What is wrong or unwise in a mail, with its place and what to do; a place leads to the line of the field."""

from collections.abc import Sequence

from services.reporting.console.desk import Data
from services.reporting.console.html import pill, tag

_FIELDS = {"subject": "Subject", "html": "HTML", "text": "Text"}
_TONES = {"error": ("Error", "red"), "warning": ("Warning", "amber")}


def draw_findings(found: Sequence[Data], *, fields_here: bool) -> None:
    """Draw them, errors first; where the fields are on this page, each place is a button that goes there."""
    if not found:
        tag("p", "Nothing is wrong with what it says.", "", data_tone="green")
        return
    with tag("ul", "", "findings"):
        for one in found:
            with tag("li"):
                label, tone = _TONES[one["severity"]]
                pill(label, tone)
                with tag("div"):
                    tag("p", one["message"][:1].upper() + one["message"][1:])
                    tag("p", one["remedy"], "under")
                _place(one, fields_here=fields_here)


def _place(one: Data, *, fields_here: bool) -> None:
    name = _FIELDS.get(str(one["field"]), str(one["field"]))
    place = f"{name}, line {one['line']}" if one["line"] and one["field"] != "subject" else name
    if not fields_here:
        tag("span", place, "under nowrap")
        return
    go = f"() => showLine('{one['field']}', {max(1, int(one['line']))})"
    tag("button", place, "button small", type="button").on("click", js_handler=go)
