"""Header fields as people write them, one a line, there and back. Pure."""

from services.reporting.console.desk import Data
from shared.contracts.commands import Refusal

HINT = "One a line, such as X-Project: Spring."


def headers_told(headers: Data) -> str:
    """Return header fields as they are typed."""
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def headers_of(lines: str) -> Data | Refusal:
    """Return the header fields that were typed."""
    found: Data = {}
    for line in filter(None, map(str.strip, lines.splitlines())):
        name, colon, value = line.partition(":")
        if not colon:
            message = f"Write a header field like “Name: value”, not {line[:80]!r}."
            return Refusal(code="header_not_allowed", message=message, field="headers")
        found[name.strip()] = value.strip()
    return found
