"""Contacts as they come in, ready for their table: what `contacts.upsert` takes, made where there is no database.

Pure and light: the process that parses files imports it, too.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import orjson

from shared.addresses import domain

_NOBODYS: Mapping[str, str] = MappingProxyType({})


class Incoming(NamedTuple):
    """One contact as it shall be.

    Attributes:
        provider: Whose mailbox it is, "" for all but the large ones.
        name: None leaves a known name as it is.
        fields: Merge fields as they are stored, laid over the known ones.
        size: What it takes in a payload, where it is new.
        empty: Merge fields that are given without a value: a known contact loses them.
    """

    address: str
    address_key: str
    provider: str
    name: str | None
    fields: str
    size: int
    empty: Sequence[str] = ()

    def laid(self, address: str, name: str, fields: str) -> "Incoming":
        """Return the same new contact with another address as it is spelled, name and fields."""
        return Incoming(address, self.address_key, self.provider, name, fields, size_of(address, name, fields))


def incoming(
    address: str, address_key: str, name: str | None, fields: Mapping[str, str], domains: Mapping[str, str] = _NOBODYS
) -> Incoming:
    """Return a contact with its merge fields packed; `domains` says which domain is of which provider."""
    empty = [field for field, value in fields.items() if not value] if "" in fields.values() else ()
    packed = pack_fields(fields)
    provider = domains.get(domain(address), "")
    return Incoming(address, address_key, provider, name, packed, size_of(address, name or "", packed), empty)


def size_of(address: str, name: str, fields: str) -> int:
    """Return how many bytes a contact takes in a payload."""
    return len(orjson.dumps((address, name))) + len(fields.encode())


def pack_fields(fields: Mapping[str, str]) -> str:
    """Return merge fields as they are stored: sorted, empty ones left out."""
    if "" in fields.values():
        fields = {name: value for name, value in fields.items() if value}
    return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS).decode()
