"""Who of those that the sources name gets a mail, and why each of the others does not. Pure.

Rules, address by address:
1. Whoever is left out by what was chosen (`left out why`) is, whatever else holds.
2. A contact without an address gets nothing.
3. An address gets one mail; of several contacts that have it the first gets it, the others are duplicates.
4. A list that the address left counts no more; where none is left, or it left everything, it gets nothing.
5. An address that no relay could take gets nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter

from services.planner.audience.frozen_object import Skipped
from shared.addresses import AddressError, parse
from shared.contracts.consent import EVERYTHING

Row = tuple[str, str, str, str, str, int, str]  # address key, contact, list, address, provider, bytes, left out why
Blocks = dict[str, dict[str, str]]  # address key -> scope -> opted_out, unconfirmed or suppressed
Line = tuple[str, list[str], str, int] | Skipped

_FREE: dict[str, str] = {}
_NOBODY: Row = ("", "", "", "", "", 0, "")
_WORST = ("suppressed", "unconfirmed")


def judged(rows: Iterable[Row], blocks: Blocks) -> list[Line]:
    """Return recipients and contacts left out of rows ordered by address: all rows of an address come together."""
    found: list[Line] = []
    for key, same in groupby(rows, itemgetter(0)):
        first, *others = same
        if first[6] or any(row[6] for row in others):
            (first, *others), gone = _divided([first, *others])
            found += gone
            if not first[1]:
                continue
        if not key or not first[3]:
            left_out = dict.fromkeys([first[1], *(row[1] for row in others)])
            found += [Skipped(contact, [], "no_address") for contact in left_out]
            continue
        for contact in dict.fromkeys(row[1] for row in others) if others else ():
            if contact != first[1]:
                found.append(Skipped(contact, [], "duplicate"))
        found.append(_asked(first, _names(first, others), blocks.get(key, _FREE)))
    return found


def _names(first: Row, others: Sequence[Row]) -> list[str]:
    """Return the lists of an address; an earlier mailing may have had it from several (with commas)."""
    if not others and "," not in first[2]:
        return [first[2]]
    return list(dict.fromkeys(name for row in (first, *others) for name in row[2].split(",")))


def _asked(first: Row, names: list[str], blocked: Mapping[str, str]) -> Line:
    """Return whether the one contact of an address gets it, by what the address wants."""
    left = [name for name in names if name not in blocked] if blocked else names
    if EVERYTHING in blocked:
        return Skipped(first[1], names, blocked[EVERYTHING])
    if not left:
        why = {blocked[name] for name in names}
        return Skipped(first[1], names, next((one for one in _WORST if one in why), "opted_out"))
    if not _valid(first[3]):
        return Skipped(first[1], names, "invalid_address")
    return first[1], left, first[4], first[5]


def _divided(rows: Sequence[Row]) -> tuple[list[Row], list[Skipped]]:
    """Return the rows of one address that stay, at least `_NOBODY`, and the contacts that are left out."""
    gone = {row[1]: row[6] for row in rows if row[6]}
    stay = [row for row in rows if row[1] not in gone]
    return stay or [_NOBODY], [Skipped(contact, [], reason) for contact, reason in gone.items()]


def _valid(address: str) -> bool:
    try:
        parse(address)
    except AddressError:  # left out with its reason
        return False
    return True
