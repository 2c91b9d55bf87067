"""The text body of a mailing whose author wrote HTML only.

In comes the HTML source, out goes readable text with all placeholders, links written out behind their words. HTML that
gives no text (a single image) gives "": the mail then has an HTML body only.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from shared.contracts.links import links_in_html
from shared.contracts.template import Placeholder, Region, Tag, parse

# Private-use characters that carry structure through the renderer
_WORDS, _TARGET, _LINK_END, _HOLD, _HOLD_END = "\ue001\ue002\ue003\ue004\ue005"
_OURS = dict.fromkeys(map(ord, _WORDS + _TARGET + _LINK_END + _HOLD + _HOLD_END))
_LINK = re.compile(f"{_WORDS}([^{_WORDS}]*?){_TARGET}([^{_LINK_END}]*){_LINK_END}")
_HELD = re.compile(f"{_HOLD}([0-9]+){_HOLD_END}")
_DOUBLE_BRACE = re.compile(rf"\{{(?=(?:{_WORDS}\s*)*[{{{_HOLD}])")
"""A brace before another one, or before what will be written there, at the start of a link as well: together they would
open a placeholder."""
_SPECIAL = re.compile(r"""[\\"{}]""")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


class _Canvas(Protocol):
    def write(self, text: str) -> None: ...


class _State(Protocol):
    link_target: str
    tags: list[_Canvas]


def _open_link(state: _State, attributes: Mapping[str, str]) -> None:
    target = attributes.get("href", "").strip()
    state.link_target = target if target.lower().startswith(("http://", "https://", _HOLD)) else ""
    if state.link_target:
        state.tags[-1].write(_WORDS)


def _close_link(state: _State) -> None:
    if state.link_target:
        state.tags[-1].write(f"{_TARGET}{state.link_target}{_LINK_END}")
        state.link_target = ""


def _image(state: _State, attributes: Mapping[str, str]) -> None:
    state.tags[-1].write(attributes.get("alt", ""))


def _rendered(html: str) -> str:
    from inscriptis import get_text  # type: ignore[import-untyped] # noqa: PLC0415 - slow to load; it ships no types
    from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped] # noqa: PLC0415 - as above
    from inscriptis.model.tag import CustomHtmlTagHandlerMapping  # type: ignore[import-untyped] # noqa: PLC0415 - as above

    mapping = CustomHtmlTagHandlerMapping(
        start_tag_mapping={"a": _open_link, "img": _image}, end_tag_mapping={"a": _close_link}
    )
    return str(get_text(html, ParserConfig(custom_html_tag_handler_mapping=mapping)))


def text_from_html(html: str) -> str:
    """Return readable text: `words <URL>` for a link, or the URL alone where it has no other words.

    Raises:
        TemplateError: A placeholder cannot be read.
    """
    html = html.translate(_OURS)
    found = [part for at in parse(html, html=True) for part in (at.parts if isinstance(at, Region) else (at,))]
    edits = [(at.start, at.end, _written(at)) for at in found]
    edits += [(link.start, link.end, link.url) for link in links_in_html(html)]
    edits.sort()
    pieces: list[str] = []
    last = 0
    for number, (start, end, _) in enumerate(edits):
        pieces += [html[last:start], f"{_HOLD}{number}{_HOLD_END}"]
        last = end
    text = _rendered("".join([*pieces, html[last:]]))
    text = _DOUBLE_BRACE.sub("{ ", _BLANK_LINES.sub("\n\n", text))
    text = _HELD.sub(lambda match: edits[int(match[1])][2], text)
    text = _LINK.sub(_spelled, text).translate(_OURS)
    text = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
    return f"{text}\n" if text.strip() else ""


def _written(at: Placeholder | Tag) -> str:
    """Write a placeholder for a text body; what would end it early is escaped."""
    if isinstance(at, Tag):
        return at.source
    if at.default is None:
        return f"{{{{ {at.name} }}}}"
    return f'{{{{ {at.name} | default("{_SPECIAL.sub(lambda match: chr(92) + match[0], at.default)}") }}}}'


def _spelled(link: re.Match[str]) -> str:
    words, url = link[1].strip(), link[2]
    bare = words.rstrip("/").removeprefix("https://").removeprefix("http://")
    if not words or bare == url.rstrip("/").removeprefix("https://").removeprefix("http://"):
        glued = link.start() > 0 and not link.string[link.start() - 1].isspace()
        return f" {url}" if glued else url
    return f"{words} <{url}>"
