"""What relays mean, as data: enhanced status codes (RFC 3463, 5248, providers' own), then words in their texts.

Read by reply.classify: an exact detail (`7.26`) is sure; a vague one (x.0.0, x.7.1 and the like) is looked up in
the texts first. Add a line here when a relay says something new.
"""

import re
from typing import Final, Literal

Scope = Literal["address", "domain", "sender", "content", "us", "unknown"]
"""Whose fault: the address, its domain, our sender domain, this message, our account or reputation, or not known."""

OF_US: Final = frozenset({"credentials", "authentication", "quota", "rate", "reputation", "reverse-dns", "tls"})
"""Kinds that speak of us or of how we send: a 5xx of these says nothing of the mail, which is held."""

VAGUE: Final = frozenset({"0.0", "1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0", "7.1", "7.9", "5.1"})

QUOTAS: Final = frozenset({"4.5", "4.6"})
"""Codes of the network that relays also give when a quota of ours is used up; their words tell which it is."""

BY_DETAIL: Final[dict[str, tuple[Scope, str]]] = {
    "1.0": ("unknown", "address-status"),
    "1.1": ("address", "user-unknown"),
    "1.2": ("domain", "domain-unknown"),
    "1.3": ("address", "bad-address"),
    "1.4": ("address", "ambiguous"),
    "1.6": ("address", "moved"),
    "1.7": ("sender", "bad-sender"),
    "1.8": ("sender", "bad-sender"),
    "1.10": ("domain", "null-mx"),
    "1.351": ("address", "user-unknown"),
    "2.0": ("unknown", "mailbox-status"),
    "2.1": ("address", "mailbox-disabled"),
    "2.2": ("address", "mailbox-full"),
    "2.3": ("content", "too-large"),
    "2.4": ("address", "list-problem"),
    "3.0": ("domain", "system"),
    "3.1": ("domain", "system-full"),
    "3.2": ("domain", "busy"),
    "3.3": ("domain", "not-capable"),
    "3.4": ("content", "too-large"),
    "3.5": ("domain", "misconfigured"),
    "4.0": ("domain", "network"),
    "4.1": ("domain", "no-answer"),
    "4.2": ("domain", "network"),
    "4.3": ("domain", "dns"),
    "4.4": ("domain", "unroutable"),
    "4.5": ("domain", "busy"),
    "4.6": ("domain", "loop"),
    "4.7": ("domain", "expired-there"),
    "5.3": ("us", "too-many-recipients"),
    "5.4": ("us", "protocol"),
    "5.1": ("us", "protocol"),
    "6.0": ("content", "content"),
    "6.1": ("content", "content"),
    "6.3": ("content", "content"),
    "6.7": ("unknown", "needs-smtputf8"),
    "7.0": ("unknown", "policy"),
    "7.1": ("unknown", "policy"),
    "7.2": ("address", "list-problem"),
    "7.8": ("us", "credentials"),
    "7.9": ("unknown", "policy"),
    "7.13": ("address", "mailbox-disabled"),
    "7.17": ("address", "moved"),
    "7.18": ("domain", "moved"),
    "7.20": ("sender", "authentication"),
    "7.21": ("sender", "authentication"),
    "7.22": ("sender", "authentication"),
    "7.23": ("sender", "authentication"),
    "7.24": ("sender", "authentication"),
    "7.25": ("us", "reverse-dns"),
    "7.26": ("sender", "authentication"),
    "7.27": ("sender", "authentication"),
    "7.28": ("us", "reputation"),
    "7.29": ("us", "tls"),
    "7.30": ("sender", "authentication"),
    "7.32": ("sender", "authentication"),
    "7.57": ("us", "credentials"),
    "7.60": ("us", "credentials"),
    "7.508": ("us", "rate"),
    "7.509": ("sender", "authentication"),
    "7.511": ("us", "reputation"),
    "7.515": ("sender", "authentication"),
    "7.705": ("us", "rate"),
    "7.708": ("us", "rate"),
    "7.750": ("us", "reputation"),
}

_BLOCKED_BY_MICROSOFT = range(606, 650)


def by_detail(detail: str) -> tuple[Scope, str] | None:
    """Return scope and kind of an enhanced code without its class, such as `7.26`."""
    found = BY_DETAIL.get(detail)
    if found is None and detail.startswith("7.") and int(detail[2:]) in _BLOCKED_BY_MICROSOFT:
        return ("us", "reputation")
    return found


def _rule(scope: Scope, kind: str, *patterns: str) -> tuple[re.Pattern[str], Scope, str]:
    return re.compile("|".join(patterns), re.IGNORECASE), scope, kind


_BOX = r"(?:user|account|mailbox|recipient|e?mail|address|addressee|alias)"
_DEAD = r"(?:disabled|inactive|suspended|deactivated|locked|closed|frozen|expired)"

BY_TEXT: Final = (
    _rule("address", "greylisted", r"gr[ae]y.?list"),
    _rule(
        "sender",
        "authentication",
        r"\b(?:spf|dkim|dmarc)\b",
        r"unauthenticated (?:e?mail|sender)",
        r"authentication (?:check|result)",
    ),
    _rule(
        "us",
        "quota",
        r"(?:daily|hourly|sending|message|relay).{0,24}(?:quota|limit).{0,16}(?:exceed|reach)",
        r"(?:exceed|reach)\w* .{0,32}(?:daily|hourly|sending|messages? per|relay).{0,16}(?:quota|limit|hour|day)",
    ),
    _rule(
        "address",
        "mailbox-full",
        r"(?:mailbox|inbox|account|user|recipient).{0,40}(?:full|exceed\w* .{0,20}(?:quota|storage|size))",
        r"quota.{0,12}exceed|over.?quota|out of storage|insufficient.{0,20}(?:storage|space)",
    ),
    _rule(
        "content",
        "too-large",
        r"(?:message|mail|size).{0,24}(?:too (?:large|big)|exceeds?.{0,24}(?:size|limit|maximum))",
    ),
    _rule(
        "us",
        "rate",
        r"rate.?limit|throttl|slow down|unusual rate|unexpected.{0,12}volume|excessive",
        r"too many (?:messages|mails|connections|emails|recipients)|too (?:fast|quickly)",
    ),
    _rule(
        "us",
        "reputation",
        r"black.?list|block.?list|\bd?nsbl\b|\brbl\b|spamhaus|barracuda|spamcop|proofpoint|reputation",
        r"listed (?:at|by|in|on)|blocked using|(?:ip|host|client|address) .{0,48}(?:blocked|banned)",
    ),
    _rule("us", "reverse-dns", r"reverse (?:dns|hostname|lookup)|\bptr\b|rdns|cannot find your hostname"),
    _rule(
        "us",
        "credentials",
        r"authentication (?:required|failed|credentials)|not authenticated|must authenticate",
        r"relay(?:ing)? (?:access )?(?:denied|not (?:permitted|allowed))|unable to relay|not permitted to relay",
    ),
    _rule("sender", "bad-sender", r"sender.{0,24}(?:reject|unknown|denied|not exist|verif|invalid|refused)"),
    _rule(
        "domain",
        "domain-unknown",
        r"(?:domain|host)(?: name)?.{0,40}(?:not (?:found|exist|reachable)|unknown|invalid|cannot be resolved)",
        r"no such domain|unrout?e?able|\bno mx\b",
    ),
    _rule("address", "mailbox-disabled", rf"{_DEAD}.{{0,24}}{_BOX}", rf"{_BOX}.{{0,48}}{_DEAD}"),
    _rule(
        "address",
        "user-unknown",
        rf"{_BOX}\b.{{0,80}}(?:unknown|not? (?:found|exist|valid|listed)|cannot be found|invalid|undeliverable)",
        rf"{_BOX}\b.{{0,80}}(?:does ?n[o'](?:t|t) (?:exist|have)|does not exist|not available|unavailable)",
        rf"(?:unknown|no such|invalid|non.?existent|bad)\W+(?:local )?(?:{_BOX}|person)",
        r"no mailbox|not our customer|does ?n[o']t have an? .{0,24}account",
    ),
    _rule(
        "content",
        "spam",
        r"virus|malware|infected|spam|unsolicited|\bjunk|content|suspicious|phish|\burls?\b|\blinks?\b|attachment",
    ),
    _rule(
        "domain",
        "busy",
        r"busy|try (?:again|later)|temporar|resources|\bload\b|too many|unavailable|timed? ?out|connection",
    ),
    _rule("unknown", "policy", r"polic|denied|rejected|not allowed|prohibited|refused|not accepted"),
)
"""Tried in order on the text, its addresses included; the first that matches tells scope and kind."""

BY_CODE: Final[dict[int, tuple[Scope, str]]] = {
    421: ("domain", "busy"),
    450: ("address", "mailbox-busy"),
    452: ("domain", "system-full"),
    454: ("us", "credentials"),
    523: ("content", "too-large"),
    530: ("us", "credentials"),
    534: ("us", "credentials"),
    535: ("us", "credentials"),
    538: ("us", "credentials"),
    541: ("content", "spam"),
    556: ("domain", "null-mx"),
}
"""Where neither enhanced code nor text says more."""
