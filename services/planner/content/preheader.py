"""The preheader: what a list of mails shows behind the subject, hidden at the beginning of the HTML.

Pure. It is put in when a draft is frozen, after the text was made from the HTML, so that no text begins with it. Its
placeholders are those of the subject. What was put in can be taken out again, to show what the author wrote.
"""

import re
from collections.abc import Collection
from html import escape

from shared.contracts.commands import Refusal
from shared.contracts.content import Content
from shared.contracts.template import check, masked, parse

_BODY = re.compile(r"<body(?=[\s>])[^>]*>", re.IGNORECASE)
_HEAD_END = re.compile(r"</head\s*>", re.IGNORECASE)
_BEFORE = '<div style="display:none;max-height:0;overflow:hidden;mso-hide:all">'
_AFTER = "</div>"


def with_preheader(content: Content | Refusal, preheader: str, known: Collection[str]) -> Content | Refusal:
    """Return a content with its preheader put in; a text alone has no place for one."""
    if isinstance(content, Refusal) or not preheader:
        return content
    problems = check({"subject": preheader}, known)  # the same rules: no links, and fields that there are
    if problems:
        first = problems[0]
        return Refusal(code=first.code, message=first.message, field="preheader", line=first.line)
    if not content.html:
        return content.model_copy(update={"preheader": preheader})
    at = _place(content.html)
    html = f"{content.html[:at]}{_hidden(preheader)}{content.html[at:]}"
    return content.model_copy(update={"preheader": preheader, "html": html})


def as_written(content: Content) -> str:
    """Return the HTML as its author wrote it."""
    return content.html.replace(_hidden(content.preheader), "", 1) if content.preheader else content.html


def _hidden(preheader: str) -> str:
    """Return the element; what is between placeholders is spelled as HTML."""
    pieces: list[str] = []
    last = 0
    for at in parse(preheader):
        pieces += [escape(preheader[last : at.start]), preheader[at.start : at.end]]
        last = at.end
    return _BEFORE + "".join([*pieces, escape(preheader[last:])]) + _AFTER


def _place(html: str) -> int:
    """Return where the body begins."""
    covered = masked(html)
    found = _BODY.search(covered) or _HEAD_END.search(covered)
    return found.end() if found is not None else 0
