"""Fields of contacts that mean something to us, and what they may hold. Pure and light.

`kind` says what kind of record a contact is: contact (where nothing is said), lead, account, user, or a word of one's
own. `language` is a language tag (BCP 47), `time_zone` a zone of the IANA database. All of them are merge fields too.
"""

import re
from functools import lru_cache
from zoneinfo import ZoneInfo

ACCOUNT = "account"
KINDS = ("contact", "lead", ACCOUNT, "user")
"""The usual ones."""
WELL_KNOWN = ("kind", "language", "time_zone")

_KIND = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8}){0,5}")
_LONGEST_ZONE = 40


def tidied(field: str, value: str) -> str:
    """Return what a well-known field shall hold; of any other field, and of none, what it holds.

    Raises:
        ValueError: It cannot hold that; the message says why, without the value.
    """
    if not value or field not in WELL_KNOWN:
        return value
    if field == "kind":
        if not _KIND.fullmatch(value.lower()):
            raise ValueError(f"is no kind of record: {', '.join(KINDS)}, or another word of a-z, 0-9, - and _")
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
