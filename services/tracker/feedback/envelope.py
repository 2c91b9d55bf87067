"""Addresses and field values in texts that others wrote."""

import re

ADDRESS = re.compile(
    r"(?:\"[^\"\n@]{1,64}\"|[^\s<>()\[\]{},;:\"'|=@\\*]{1,64}(?:'[^\s<>()\[\]{},;:\"'|=@\\*]{1,40})?)"
    r"@(?:[\w-]{1,63}(?:\.[\w-]{1,63}){1,9}|\[[0-9a-fA-F.:]{3,45}\])"
)
_TYPE = re.compile(r"^\s*[\w-]{1,20}\s*;\s*")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_UNITEXT = re.compile(r"\\x\{([0-9A-Fa-f]{1,6})\}")
_ENCODED_AT = re.compile(r"\\x\{|\+(?:2B|3D|40)", re.ASCII)

DAEMONS = re.compile(
    r"^(?:mail(?:er)?[-_.]?(?:daemon|delivery|system|admin\w*)|m?daemon|post[-_]?master|bounces?|mmdf|system[-_.]?admin\w*|"
    r"mail[-_]?delivery[-_]?(?:sub)?system|(?:delivery|dsn|ndr)[-_]?\w*|microsoftexchange\w*|mdaemon|no-?reply-dsn)(?:\+.*)?$",
    re.IGNORECASE,
)


def tidy(address: str) -> str:
    """Return an address with its domain in lower case."""
    local, at, domain = address.strip().strip("<>").rpartition("@")
    return f"{local}@{domain.rstrip('.').lower()}" if at else address.strip().strip("<>")


def addresses(text: str, limit: int = 200) -> list[str]:
    """Return the addresses in a text, each once, in their order."""
    found: dict[str, str] = {}
    for match in ADDRESS.finditer(text):
        address = tidy(match[0].strip(".'`"))
        found.setdefault(address.lower(), address)
        if len(found) >= limit:
            break
    return list(found.values())


def typed(value: str) -> str:
    """Return the address of a field such as `rfc822; someone@example.com` (RFC 3464) or `utf-8; ...` (RFC 6533)."""
    kind = value.partition(";")[0].strip().lower()
    text = _TYPE.sub("", value).strip()
    text = re.sub(r"\s*\([^()]{0,200}\)\s*$", "", text)
    if kind == "utf-8" or "\\x{" in text:
        text = _UNITEXT.sub(lambda code: _character(int(code[1], 16)), text)
    if "@" not in text and _ENCODED_AT.search(text):
        text = unxtext(text)
    found = ADDRESS.search(text)
    if found is not None:
        return tidy(found[0].strip("."))
    return tidy(text) if "@" in text and " " not in text and len(text) <= 254 else ""


def unxtext(text: str) -> str:
    """Return what stands in xtext (RFC 3461)."""
    return _XTEXT.sub(lambda code: chr(int(code[1], 16)), text)


def _character(code: int) -> str:
    return chr(code) if 0x20 <= code < 0x110000 and not 0xD800 <= code <= 0xDFFF else "\ufffd"


def is_daemon(address: str) -> bool:
    """Whether mail from this address comes from a mail system."""
    return DAEMONS.match(address.partition("@")[0]) is not None
