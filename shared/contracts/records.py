"""Fields of contacts that mean something to us, and what they may hold. Pure and light.

`kind` says what kind of record a contact is: contact (where nothing is said), lead, account, user, or one more that an
installation knows by its settings. `language` is a language tag (BCP 47), `time_zone` a zone of the IANA database. All
of them are merge fields too.
"""

import re
from collections.abc import Collection
from functools import lru_cache
from zoneinfo import ZoneInfo

ACCOUNT = "account"
KINDS = ("contact", "lead", ACCOUNT, "user")
"""Those that are known everywhere."""
STATUS = "person.status"
"""What templates and rules call the status of the customer, a field that nobody brings in."""
WELL_KNOWN = ("kind", "language", "time_zone")

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,5}")
_LONGEST_ZONE = 40


def kinds_of(more: str) -> tuple[str, ...]:
    """Return all kinds of records that are known where `more`, separated by commas, are known as well.

    Raises:
        ValueError: One of them is no word that a kind may be.
    """
    wanted = [word.strip() for word in more.split(",") if word.strip()]
    if unfit := [word for word in wanted if not _KIND.fullmatch(word)]:
        raise ValueError(f"{unfit[0]!r} is no kind of record: up to 40 of a-z, 0-9, - and _, a letter first")
    return tuple(dict.fromkeys((*KINDS, *wanted)))


def tidied(field: str, value: str, kinds: Collection[str] = ()) -> str:
    """Return what a well-known field shall hold; of any other field, and of none, what it holds.

    Where `kinds` are given the kind is one of them; else it is any word that may be one somewhere.

    Raises:
        ValueError: It cannot hold that; the message says why, without the value.
    """
    if not value or field not in WELL_KNOWN:
        return value
    if field == "kind":
        if not _KIND.fullmatch(value.lower()):
            raise ValueError(f"is no kind of record: {', '.join(kinds or KINDS)} are")
        if kinds and value.lower() not in kinds:
            raise ValueError(
                f"is no kind of record that is known here: {', '.join(kinds)} are (POSTHASTE_RECORD_KINDS)"
            )
        return value.lower()
    if field == "language":
        if not _LANGUAGE.fullmatch(value):
            raise ValueError("is no language tag: el, it or pt-BR are some")
        return value
    if not _is_zone(value):
        raise ValueError("is no time zone: Europe/Athens is one")
    return value


@lru_cache(2_048)
def _is_zone(zone: str) -> bool:
    try:
        return len(zone) <= _LONGEST_ZONE and bool(ZoneInfo(zone))
    except (OSError, ValueError, KeyError):  # how a missing zone shows depends on its name
        return False
