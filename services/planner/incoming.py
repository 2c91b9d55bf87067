"""Contacts as they come in, ready for their table: what `contacts.upsert` takes, made where there is no database.

Pure and light: the process that parses files imports it, too.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import orjson


class Incoming(NamedTuple):
    """One contact as it shall be.

    Attributes:
        name: None leaves a known name as it is.
        fields: Merge fields as they are stored, laid over the known ones.
        empty: Merge fields that are given without a value: a known contact loses them.
    """

    address: str
    address_key: str
    name: str | None
    fields: str
    empty: Sequence[str] = ()


def incoming(address: str, address_key: str, name: str | None, fields: Mapping[str, str]) -> Incoming:
    """Return a contact with its merge fields packed."""
    empty = [field for field, value in fields.items() if not value] if "" in fields.values() else ()
    return Incoming(address, address_key, name, pack_fields(fields), empty)


def pack_fields(fields: Mapping[str, str]) -> str:
    """Return merge fields as they are stored: sorted, empty ones left out."""
    if "" in fields.values():
        fields = {name: value for name, value in fields.items() if value}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
