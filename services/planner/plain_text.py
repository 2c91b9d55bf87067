"""The text body of a mailing whose author wrote HTML only.

In comes the HTML source, out goes readable text with all placeholders, links written out behind their words. HTML that
gives no text (a single image) gives "": the mail then has an HTML body only.
"""

import re
from collections.abc import Mapping
from typing import Protocol

from inscriptis import get_text  # type: ignore[import-untyped] # the package ships no types
from inscriptis.model.config import ParserConfig  # type: ignore[import-untyped] # as above
from inscriptis.model.tag import CustomHtmlTagHandlerMapping  # type: ignore[import-untyped] # as above

from shared.contracts.template import Placeholder, parse

# Private-use characters that carry structure through the renderer
_WORDS, _TARGET, _LINK_END, _FIELD, _FIELD_END = "\ue001\ue002\ue003\ue004\ue005"
_OURS = dict.fromkeys(map(ord, _WORDS + _TARGET + _LINK_END + _FIELD + _FIELD_END))
_STRUCTURE = dict.fromkeys(map(ord, _WORDS + _TARGET + _LINK_END))
_LINK = re.compile(f"{_WORDS}([^{_WORDS}]*?){_TARGET}([^{_LINK_END}]*){_LINK_END}")
_HELD = re.compile(f"{_FIELD}([0-9]+){_FIELD_END}")
_DOUBLE_BRACE = re.compile(r"\{(?=\{)")
_SPECIAL = re.compile(r"""[\\"{}]""")
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")


class _Canvas(Protocol):
    def write(self, text: str) -> None: ...


class _State(Protocol):
    link_target: str
    tags: list[_Canvas]


def _open_link(state: _State, attributes: Mapping[str, str]) -> None:
    target = attributes.get("href", "").strip()
    state.link_target = target if target.lower().startswith(("http://", "https://", _FIELD)) else ""
    if state.link_target:
        state.tags[-1].write(_WORDS)


def _close_link(state: _State) -> None:
    if state.link_target:
        state.tags[-1].write(f"{_TARGET}{state.link_target}{_LINK_END}")
        state.link_target = ""


def _image(state: _State, attributes: Mapping[str, str]) -> None:
    state.tags[-1].write(attributes.get("alt", ""))


_CONFIG = ParserConfig(
    custom_html_tag_handler_mapping=CustomHtmlTagHandlerMapping(
        start_tag_mapping={"a": _open_link, "img": _image}, end_tag_mapping={"a": _close_link}
    )
)


def text_from_html(html: str) -> str:
    """Return readable text: `words <URL>` for a link, or the URL alone where it has no other words.

    Raises:
        TemplateError: A placeholder cannot be read.
    """
    html = html.translate(_OURS)
    held: list[str] = []
    pieces: list[str] = []
    last = 0
    for at in parse(html, html=True):
        pieces += [html[last : at.start], f"{_FIELD}{len(held)}{_FIELD_END}"]
        held.append(_written(at))
        last = at.end
    text: str = get_text("".join([*pieces, html[last:]]), _CONFIG)
    text = _BLANK_LINES.sub("\n\n", _LINK.sub(_spelled, text)).translate(_STRUCTURE)
    lines = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
    lines = _DOUBLE_BRACE.sub("{ ", lines)
    restored = _HELD.sub(lambda match: held[int(match[1])], lines)
    return f"{restored}\n" if restored.strip() else ""


def _written(at: Placeholder) -> str:
    """Write a placeholder for a text body; what would end it early is escaped."""
    if at.default is None:
        return f"{{{{ {at.name} }}}}"
    return f'{{{{ {at.name} | default("{_SPECIAL.sub(lambda match: chr(92) + match[0], at.default)}") }}}}'


def _spelled(link: re.Match[str]) -> str:
    words, url = link[1].strip(), link[2]
    bare = words.rstrip("/").removeprefix("https://").removeprefix("http://")
    if not words or bare == url.rstrip("/").removeprefix("https://").removeprefix("http://"):
        return url
    return f"{words} <{url}>"
