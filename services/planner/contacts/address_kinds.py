"""What an address is beside somebody's: of a function rather than a person, or of a provider of throw-away mailboxes.

Pure and light: the process that parses files imports it, too. The functions are those of RFC 2142 and what else is
usual (address_roles.txt); the providers are those of the package `disposable-email-domains`, domains below theirs
included.
"""

from functools import lru_cache
from pathlib import Path

_ROLES = frozenset(Path(__file__).with_name("address_roles.txt").read_text(encoding="ascii").split())


def flags(address: str) -> tuple[str, ...]:
    """Return what an address is: `role`, `disposable`, both or neither."""
    local, _, domain = address.lower().rpartition("@")
    found = ("role",) if local.partition("+")[0] in _ROLES else ()
    return (*found, "disposable") if is_disposable(domain) else found


@lru_cache(8_192)
def is_disposable(domain: str) -> bool:
    """Tell whether a domain, in lower case, is of a provider of throw-away mailboxes."""
    from disposable_email_domains import blocklist  # noqa: PLC0415 - thousands of names: only who takes contacts in

    parts = domain.split(".")
    return any(".".join(parts[at:]) in blocklist for at in range(len(parts) - 1))
