"""Who was it? Rules that judge opens and clicks: a person, an image proxy for a person, a machine, or nobody can say.

A verdict is a function of facts alone: all hits of one recipient, when the mail was accepted, and which seconds of a
network were crowded. So it does not matter in which order or how often hits were told, and a verdict may change when
another hit comes: three links within three seconds are a burst only after the third. Pure; the rules are data with a
version, which stands beside every figure that was made with them.

The first that applies decides:

1. The request says it: HEAD or OPTIONS, a prefetch, a user agent of scanners and libraries. A click by something that
   only ever fetches images is a scanner in disguise.
2. Apple's privacy proxy fetches every image whether or not anybody looks: a proxy that proves nothing.
3. A click from the networks of a mail scanner.
4. Within three seconds several different links: a burst, with all else of the recipient in its midst.
5. Before the acceptance, as what scans does while the relay still thinks or before it has the mail tried again, or
   sooner after it than a person reads. Where nobody knows when the relay first had it, this rule says nothing.
6. Google's and Yahoo's proxies fetch when somebody opens the mail: a person, seen through a proxy.
7. Many hits from one network within one second: a click then is a machine's; of an open nobody can say.
8. Programs that people use are people; what is not known is not known.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Literal, NamedTuple

from shared.contracts.engagement import Hit
from shared.instants import to_millis

Verdict = Literal["human", "proxy", "machine", "unknown"]

OPENS = -1
"""Stands for the pixel where others have the place of a link."""
ANY_CLICK = -2
"""Stands for any click of a mail, and for a click whose link is not known."""

APPLE = "apple-privacy"

TALLIES = ("human", "proxy", "apple", "machine", "unknown")
"""What hits are counted as: the verdicts, those of Apple's proxy apart from other proxies."""

SCANNERS = (
    *("40.92.0.0/15", "40.107.0.0/16", "52.100.0.0/14", "104.47.0.0/17"),
    *("2a01:111:f400::/48", "2a01:111:f403::/48"),
)
"""Networks that scan mail and are nobody's way to the web: Exchange Online Protection."""


@dataclass(frozen=True, slots=True)
class Rules:
    """The numbers of the rules.

    Attributes:
        version: Goes up with every change of numbers, tables or order.
        soon: Milliseconds after the acceptance within which no person reads.
        burst_links: So many different links ...
        burst: ... within so many milliseconds are a burst.
        crowd: So many hits of one kind from one network within one second are a crowd.
        most: Hits of one recipient that are judged; what comes beyond stays in the log alone.
    """

    version: int = 2
    soon: int = 2_000
    burst_links: int = 3
    burst: int = 3_000
    crowd: int = 8
    most: int = 500


RULES = Rules()


class Fact(NamedTuple):
    """One hit as far as rules look at it: `link` is `OPENS` or the place of a link, `at` milliseconds since 1970."""

    link: int
    at: int
    method: str
    agent: str
    network: str


def fact_of(hit: Hit) -> Fact:
    """Return what rules look at of a hit."""
    link = OPENS if hit.kind == "open" else ANY_CLICK if hit.link is None else hit.link
    return Fact(link, to_millis(hit.at), hit.method, hit.agent, hit.network)


class Judged(NamedTuple):
    """What a hit was, and why."""

    verdict: Verdict
    reason: str

    @property
    def counts(self) -> bool:
        """Whether a person was there: human, or through a proxy that fetches only when somebody looks."""
        return self.verdict == "human" or (self.verdict == "proxy" and self.reason != APPLE)

    @property
    def tally(self) -> str:
        """As which of `TALLIES` it counts."""
        return "apple" if self.reason == APPLE else self.verdict


_NOT_PUBLIC = (
    *("10.", "127.", "169.254.", "192.168.", "fc", "fd", "fe8", "::"),
    *(f"172.{second}." for second in range(16, 32)),
    *(f"100.{second}." for second in range(64, 128)),
)
"""How networks begin that are nobody's: all hits of a tracker behind a proxy that is not trusted share one of them."""

_METHOD = Judged("machine", "method")
_BURST = Judged("machine", "burst")
_BEFORE = Judged("machine", "before-acceptance")
_SOON = Judged("machine", "too-soon")
_NETWORK = Judged("machine", "scanner-network")
_CROWDED = {True: Judged("unknown", "crowd"), False: Judged("machine", "crowd")}
_DISGUISE = Judged("machine", "disguise")
_SAID = {
    "prefetch": Judged("machine", "prefetch"),
    "gmail-prefetch": Judged("machine", "prefetch"),
    "automat": Judged("machine", "automat"),
}
_FETCHERS = frozenset({"google-proxy", "yahoo-proxy", "apple-privacy"})
_PROXIES = {name: Judged("proxy", name) for name in ("google-proxy", "yahoo-proxy")}
_APPLE = Judged("proxy", APPLE)
_PEOPLE = {name: Judged("human", name) for name in ("mail-client", "mobile", "desktop")}
_NOBODY_KNOWS = Judged("unknown", "agent")


def judge(
    facts: Mapping[str, Fact], accepted: int | None, crowded: Collection[str] = (), rules: Rules = RULES
) -> dict[str, Judged]:
    """Return the verdict on each hit of one recipient.

    Args:
        facts: All hits of the recipient by their fact ids.
        accepted: When the mail was first accepted. None where it was not, or nobody knows when (`Group.untimed`): a
            mail in doubt may have arrived, and a hit is what proves it.
        crowded: Those of `crowd_of` of these hits that hold a crowd.
        rules: By which it is judged.
    """
    bursts = _bursts(facts.values(), rules) if len(facts) >= rules.burst_links else []
    return {name: _of(fact, accepted, bursts, crowded, rules) for name, fact in facts.items()}


def _of(
    fact: Fact, accepted: int | None, bursts: list[tuple[int, int]], crowded: Collection[str], rules: Rules
) -> Judged:
    link, at, method, agent, _ = fact
    opened = link == OPENS
    if method != "GET":
        return _METHOD
    if (said := _SAID.get(agent)) is not None:
        return said
    if agent in _FETCHERS and not opened:
        return _DISGUISE
    if agent == APPLE:
        return _APPLE
    if not opened and scans(fact.network):
        return _NETWORK
    if bursts and agent not in _FETCHERS and any(first <= at <= last for first, last in bursts):
        return _BURST
    if accepted is not None and at < accepted + rules.soon:
        return _BEFORE if at < accepted else _SOON
    if (proxy := _PROXIES.get(agent)) is not None:
        return proxy
    if crowded and crowd_of(fact) in crowded:
        return _CROWDED[opened]
    return _PEOPLE.get(agent, _NOBODY_KNOWS)


def _bursts(facts: Iterable[Fact], rules: Rules) -> list[tuple[int, int]]:
    """Return from when to when several different links were asked for."""
    clicks = sorted((fact.at, fact.link) for fact in facts if fact.link != OPENS)
    found: list[tuple[int, int]] = []
    for place in range(len(clicks) - rules.burst_links + 1):
        began = last = clicks[place][0]
        links: set[int] = set()
        for at, link in clicks[place:]:
            if at > began + rules.burst:
                break
            last = at
            links.add(link)
        if len(links) >= rules.burst_links:
            found.append((began, last))
    return found


def crowd_of(fact: Fact) -> str | None:
    """Return the crowd a hit may belong to: kind, network and second; None where many come from one network anyway."""
    if not fact.network or fact.agent in _FETCHERS or fact.network.startswith(_NOT_PUBLIC):
        return None
    return f"{'o' if fact.link == OPENS else 'c'} {fact.network} {fact.at // 1000}"


def scans(network: str) -> bool:
    """Whether a network (/24 or /48) is one of `SCANNERS`."""
    return network in _SCANNERS


def _parts(networks: Iterable[str]) -> Iterator[str]:
    """Yield networks cut as hits name them: to look one up costs a thirtieth of what arithmetic costs."""
    for text in networks:
        whole = ip_network(text)
        yield from map(str, whole.subnets(new_prefix=24) if whole.version == 4 else [whole])


_SCANNERS = frozenset(_parts(SCANNERS))
