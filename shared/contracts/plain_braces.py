"""Templates of systems that write placeholders in single braces, as ours: `{Person.firstName}`, `{trackingUrl:ID}`.

In comes the source with what its names stand for here, out go the source in our spelling and the tracking URLs that
stand in it by name now, as nobody gave their target. A brace of a style sheet is no placeholder: only fields of records
and the names below are. Pure.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

RECORDS = ("person", "contact", "lead", "account", "user")
SPECIAL = {
    "optouturl": "optOutUrl",
    "optoutlink": "optOutLink",
    "opt_out_url": "optOutUrl",
    "optinurl": "optInUrl",
    "optinlink": "optInLink",
    "today": "today",
    "now": "now",
}
_BRACES = re.compile(
    r"(?P<double>\{\{\s*(?P<dotted>[A-Za-z]+\.[A-Za-z]\w*)\s*\}\})"
    r"|(?<!\{)\{(?P<field>[A-Za-z]+\.[A-Za-z]\w*)\}(?!\})"
    r"|(?<!\{)\{trackingUrl:(?P<link>[\w-]+)\}(?!\})"
    r"|(?<!\{)\{(?P<special>[A-Za-z_]+)\}(?!\})"
)


@dataclass(frozen=True, slots=True)
class Converted:
    """A template in our spelling; `named`: the tracking URLs that stand in it by name, in order."""

    source: str
    named: tuple[str, ...]


def convert(source: str, fields: Mapping[str, str], links: Mapping[str, str]) -> Converted:
    """Return the template in our spelling.

    Args:
        source: Subject, HTML or text.
        fields: Name of a record's field in lower case (`person.firstname`) -> ours.
        links: Id of a tracking URL -> its target; one without becomes a named tracking URL of ours.
    """
    named: dict[str, None] = {}

    def written(match: re.Match[str]) -> str:
        dotted = match["dotted"] or match["field"]
        if dotted:
            record = dotted.partition(".")[0].lower()
            if record not in RECORDS:
                return match[0]
            return f"{{{{ {fields.get(dotted.lower(), dotted.lower())} }}}}"
        if match["link"]:
            if match["link"] not in links:
                named[match["link"]] = None
                return f"{{{{ trackingUrl:{match['link']} }}}}"
            return links[match["link"]]
        special = SPECIAL.get(match["special"].lower())
        return f"{{{{ {special} }}}}" if special else match[0]

    return Converted(_BRACES.sub(written, source), tuple(named))
