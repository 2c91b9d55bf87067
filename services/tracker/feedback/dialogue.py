"""Traces of an SMTP dialogue in a text: which command was answered, with which codes, in which words."""

import re

from services.tracker.feedback.phrases import commands

_COMMANDS = commands()
_STATUS = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_CODE = re.compile(r"(?<![\w.:/@#-])#?([245][0-5]\d)(?=[ \-:>;,\])]|$)(?![ :]?\d{2}:)", re.MULTILINE)
_PAIR = re.compile(r"(?<![\w.:/@-])([245][0-5]\d)[ \-]#?([245]\.\d{1,3}\.\d{1,3})(?!\.?\d)")
_SPOKEN = re.compile(
    r"(?:said:|responded with|returned|answered|reply was|response was|error(?: message)?(?: was)?:|was:|reason:|<<<|"
    r"error_code ?:|responsecode|remote host said:|server said|with the following error message:|"
    r"diagnostic[ -]code:)\s*"
    r"[\"'\[(]*((?:smtp;\s*)?[245]\d\d[ \-:,][^\n]*(?:\n[ \t>]*[^\n]+){0,5})",
    re.IGNORECASE,
)
_LINE = re.compile(r"^[ \t>]*(?:smtp;\s*)?([45]\d\d[ \-][^\n]*(?:\n[ \t>]*[45]\d\d[ \-][^\n]*){0,8})", re.MULTILINE)


def command(text: str) -> str:
    """Return the command that was answered last in the text, "" where that is not told."""
    last, at = "", -1
    flat = text[:6000]
    folded = re.sub(r"\n[ \t]+", " ", flat)
    for name, pattern in _COMMANDS.items():
        for found in pattern.finditer(flat if ">>>" in flat else folded):
            if found.start() > at:
                last, at = name, found.start()
    return last


def status(text: str) -> str:
    """Return the enhanced code of a text, one that says something before one that does not; "" without any."""
    best = ""
    for found in _STATUS.finditer(text[:4000]):
        code = found[1]
        if code[0] == "2":
            continue
        if not best or (best.endswith(".0.0") and not code.endswith(".0.0")):
            best = code
    return best


def code(text: str) -> str:
    """Return the reply code of a text, one of 4xx and 5xx before one of 2xx; "" without any."""
    pair = _PAIR.search(text)
    if pair is not None:
        return pair[1]
    first = ""
    for found in _CODE.finditer(text[:4000]):
        if found[1][0] != "2":
            return found[1]
        first = first or found[1]
    return first


def spoken(text: str) -> str:
    """Return the words of a reply in a text; "" where no reply is quoted."""
    found = _SPOKEN.search(text) or _LINE.search(text)
    return found[1] if found is not None else ""
