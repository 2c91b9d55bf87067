"""Reply texts without the recipient: what a relay says may be kept, whom it says it about may not.

Every address-like token becomes `<...>`, and so does every occurrence of the recipient's local part, in any case and
also spelled in quoted-printable, xtext or percent encoding. Whatever slips through the replacing makes the whole text
`<...>`: a local part of three characters or more never survives (G11).
"""

import re

MARK = "<...>"

_AT = r"(?:@|[=%+]40)"
_ADDRESS = re.compile(rf"<?(?:\"[^\"]{{1,64}}\"|[^\s<>\"(),;:\[\]]+){_AT}[^\s<>\"(),;:\[\]]+>?")
_ENCODED = re.compile(r"[=%+]([0-9A-Fa-f]{2})")
_RUN = re.compile(r"(?:[=%+][0-9A-Fa-f]{2})+")
_MARKS = re.compile(rf"{re.escape(MARK)}(?:\s*{re.escape(MARK)})+")


def scrub(text: str, address: str) -> str:
    """Return `text` without address-like tokens and without the local part of `address`."""
    local = address.rpartition("@")[0].strip('"')
    has_code = "%" in text or "=" in text or "+" in text
    if "@" not in text and not has_code and "\\" not in local and not _speaks_of(local.partition("+")[0], text):
        return text
    names = _names(local)
    if "@" in text or has_code:
        text = _ADDRESS.sub(MARK, text)
    for name in names:
        text = _without(text, name)
    text = _MARKS.sub(MARK, text)
    return text if _clean(text, names) else _clean_or_nothing(names)


def _speaks_of(name: str, text: str) -> bool:
    return len(name) < 3 or name.casefold() in text.casefold()


def _names(local: str) -> list[str]:
    """Return the spellings of a person in a local part: all of it, and what stands before a `+tag`; folded."""
    names = {local, local.replace("\\", ""), local.partition("+")[0]}
    return sorted((name.casefold() for name in names if len(name) >= 3), key=len, reverse=True)


def _without(text: str, name: str) -> str:
    if name not in _decoded(text).casefold() and name not in text.casefold():
        return text
    pattern = "".join(rf"(?:{re.escape(char)}|{_spelled(char)})" for char in name)
    return re.sub(pattern, MARK, text, flags=re.IGNORECASE)


def _spelled(char: str) -> str:
    """Return a pattern for the encoded spellings of one character, either case."""
    codes = {variant.encode("utf-8", "replace").hex() for variant in (char, char.upper())}
    return "|".join("".join(rf"[=%+]{code[i : i + 2]}" for i in range(0, len(code), 2)) for code in sorted(codes))


def _decoded(text: str) -> str:
    """Return the text with its encoded runs read in either way: as UTF-8, and byte by byte."""
    if not _ENCODED.search(text):
        return text
    utf8 = _RUN.sub(lambda run: _bytes(run[0]).decode("utf-8", "replace"), text)
    single = _RUN.sub(lambda run: _bytes(run[0]).decode("latin-1"), text)
    return f"{utf8}\n{single}"


def _bytes(run: str) -> bytes:
    return bytes(int(code, 16) for code in _ENCODED.findall(run))


def _clean(text: str, names: list[str]) -> bool:
    folded, decoded = text.casefold(), _decoded(text).casefold()
    return not any(name in folded or name in decoded for name in names)


def _clean_or_nothing(names: list[str]) -> str:
    return MARK if _clean(MARK, names) else ""
