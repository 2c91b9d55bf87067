"""What rules look at: everything of a contact that can be asked for, as one text in which each thing stands once.

    <US>city=athens<US>age=42<US>age#1000000000000042000000<US>role!<US>

A field stands as its name and its folded value; a number once more in a form of one width that sorts as numbers do, a
date (that begins like 2027-05-03) as that. So a database answers each condition by looking for a piece of text and
comparing a few bytes, the same on SQLite and on PostgreSQL, without knowledge of JSON, numbers, dates, letters or
collations (decision 0029). Pure.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal

from shared.contracts.records import STATUS

US = "\x1f"
LONGEST = 1_000
"""Of a value so many characters are looked at."""
WELL_KNOWN = ("email", "domain", "name", STATUS)
"""What every contact has or may have beside its fields; a field of that name cannot be asked for."""
MOMENTS = ("created", "updated")
"""Columns of the table of contacts that can be asked for."""
NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,6})?")
_OURS = frozenset((*WELL_KNOWN, *MOMENTS))
_DATE = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[T ].*)?")
_NINES = str.maketrans("0123456789", "9876543210")
_CONTROL = re.compile("[\x00-\x1f]")
_MAYBE = frozenset("-0123456789")


def fold(text: str) -> str:
    """Return a text without what makes no difference: case, and how a character is put together."""
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    return _CONTROL.sub(" ", folded) if US in folded or not folded.isprintable() else folded


def sortable(number: Decimal) -> str:
    """Return a number in the form that sorts as numbers do."""
    whole = abs(int(number.scaleb(6)))
    digits = f"{whole:021d}"
    return "1" + digits if number >= 0 or not whole else "0" + digits.translate(_NINES)


def entries(field: str, value: str) -> str:
    """Return what stands in the text for one field."""
    said = f"{field}={fold(value[:LONGEST])}{US}"
    if value and value[0] in _MAYBE:
        if NUMBER.fullmatch(value):
            return f"{said}{field}#{sortable(Decimal(value))}{US}"
        if day := day_of(value):
            return f"{said}{field}@{day}{US}"
    return said


def day_of(value: str) -> str:
    """Return the day that a value begins with, "" where it is no date."""
    found = _DATE.fullmatch(value)
    if found is None:
        return ""
    try:
        date.fromisoformat(found[1])
    except ValueError:  # looks like one: no date then
        return ""
    return found[1]


def search_text(address: str, name: str, fields: Mapping[str, str], flags: Iterable[str] = (), status: str = "") -> str:
    """Return the text of a contact."""
    text = f"{US}email={fold(address)}{US}domain={fold(address.rpartition('@')[2])}{US}"
    if name:
        text += f"name={fold(name)}{US}"
    if "kind" not in fields:
        text += f"kind=contact{US}"
    if status:
        text += entries(STATUS, status)
    for flag in flags:
        text += f"{flag}!{US}"
    for field, value in fields.items():
        if value and field not in _OURS:
            text += entries(field, value)
    return text
