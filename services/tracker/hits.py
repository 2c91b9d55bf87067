"""From a request for a pixel or a link to a `Hit`: first-hand facts only, judged later by whoever reads them.

The fact id is derived from recipient, link, second, method, user agent class and network: the same hit delivered many
times within a second is one fact, a scanner's HEAD beside a person's GET stays two. Of the user agent only its class is
kept, of the address only the network (/24 or /48). A mailing that does not tell recipients apart keeps no network
either, and each of its hits is a fact of its own.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from ipaddress import ip_address, ip_network
from typing import Literal

from shared.contracts.engagement import AgentClass, Hit
from shared.ids import new_id
from shared.tokens import RecipientToken

_MAX_AGENT = 300
_AUTOMATS = (
    r"bot\b|crawl|spider|slurp|scan|curl|wget|python|libwww|httpclient|http-client|go-http|okhttp|java/|axios|node-fetch"
    r"|headless|phantom|barracuda|mimecast|proofpoint|forcepoint|messagelabs|trendmicro|safelinks|facebookexternal"
)
_CLIENTS = r"thunderbird|outlook|ms-office|applemail|lotus-notes|postbox|emclient|airmail"
_RULES: tuple[tuple[str, AgentClass], ...] = (
    (r"^$", "none"),
    (r"^Mozilla/5\.0$", "apple-privacy"),
    (r"GoogleImageProxy", "google-proxy"),
    (r"YahooMailProxy", "yahoo-proxy"),
    (r"Edge/12\.246.*Mozilla/5\.0$", "gmail-prefetch"),
    (_AUTOMATS, "automat"),
    (_CLIENTS, "mail-client"),
    (r"mobile|android|iphone|ipad", "mobile"),
    (r"^(Mozilla|Opera)/", "desktop"),
)
"""The first that matches names the class."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a request shows of who sent it.

    Attributes:
        at: When it came.
        method: GET, HEAD or OPTIONS.
        agent: Class of its user agent.
        network: Network of its sender, "" where unknown.
    """

    at: datetime
    method: str
    agent: AgentClass
    network: str


@lru_cache(maxsize=4096)
def agent_class(user_agent: str, *, prefetch: bool = False) -> AgentClass:
    """Return the class of a user agent; `prefetch` is what the request said of itself."""
    if prefetch:
        return "prefetch"
    agent = user_agent[:_MAX_AGENT].strip()
    return next((name for pattern, name in _RULES if re.search(pattern, agent, re.IGNORECASE)), "other")


@lru_cache(maxsize=4096)
def network(address: str) -> str:
    """Return the /24 or /48 an address belongs to, "" when it is none."""
    try:
        ip = ip_address(address)
    except ValueError:  # a proxy wrote something else: the hit is kept without a network
        return ""
    if ip.version == 6 and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return str(ip_network((ip, 24 if ip.version == 4 else 48), strict=False))


def hit(kind: Literal["open", "click"], who: RecipientToken, link: int | None, seen: Seen) -> Hit:
    """Return the fact that `who` was seen to open the mail or to follow a link."""
    if who.anonymous:
        fact = new_id(20)
    else:
        moment = f"{who.mailing}.{who.n}.{who.index}.{link} {int(seen.at.timestamp())}"
        cause = f"hit {kind} {moment} {seen.method} {seen.agent} {seen.network}"
        fact = sha256(cause.encode()).hexdigest()[:20]  # as `derived_id`, at a quarter of its cost
    return Hit(
        id=fact,
        kind=kind,
        mailing=who.mailing,
        n=who.n,
        index=who.index,
        link=link,
        at=seen.at,
        method=seen.method,
        agent=seen.agent,
        network="" if who.anonymous else seen.network,
    )
