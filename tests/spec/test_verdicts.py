"""Who it was: the rules on opens and clicks, one by one, and that they depend on facts alone."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.verdicts import OPENS, RULES, TALLIES, Fact, Judged, crowd_of, judge, scans

ACCEPTED = 1_800_000_000_000
LATER = 3_600_000

CASES = {
    "a person opens": ((OPENS, LATER, "GET", "mobile", ""), "human", "mobile"),
    "a person clicks": ((0, LATER, "GET", "desktop", "8.8.8.0/24"), "human", "desktop"),
    "HEAD": ((0, LATER, "HEAD", "desktop", ""), "machine", "method"),
    "OPTIONS": ((OPENS, LATER, "OPTIONS", "desktop", ""), "machine", "method"),
    "a prefetch says so": ((0, LATER, "GET", "prefetch", ""), "machine", "prefetch"),
    "Gmail fetches ahead": ((OPENS, LATER, "GET", "gmail-prefetch", ""), "machine", "prefetch"),
    "a scanner says so": ((0, LATER, "GET", "automat", ""), "machine", "automat"),
    "Gmail shows the mail": ((OPENS, LATER, "GET", "google-proxy", ""), "proxy", "google-proxy"),
    "Yahoo shows the mail": ((OPENS, LATER, "GET", "yahoo-proxy", ""), "proxy", "yahoo-proxy"),
    "Apple fetches everything": ((OPENS, LATER, "GET", "apple-privacy", ""), "proxy", "apple-privacy"),
    "Apple fetches at once": ((OPENS, 100, "GET", "apple-privacy", ""), "proxy", "apple-privacy"),
    "an image proxy never clicks": ((0, LATER, "GET", "google-proxy", ""), "machine", "disguise"),
    "nor does Apple's": ((0, LATER, "GET", "apple-privacy", ""), "machine", "disguise"),
    "a scanner's network clicks": ((0, LATER, "GET", "desktop", "104.47.9.0/24"), "machine", "scanner-network"),
    "Outlook opens from there": ((OPENS, LATER, "GET", "mail-client", "104.47.9.0/24"), "human", "mail-client"),
    "sooner than anybody reads": ((0, 1_999, "GET", "desktop", ""), "machine", "too-soon"),
    "soon enough": ((0, 2_000, "GET", "desktop", ""), "human", "desktop"),
    "Gmail sooner than anybody reads": ((OPENS, 500, "GET", "google-proxy", ""), "machine", "too-soon"),
    "while the relay scans": ((0, -1, "GET", "desktop", ""), "machine", "before-acceptance"),
    "an attempt that was put off is scanned": ((0, -1_800_000, "GET", "desktop", ""), "machine", "before-acceptance"),
    "its images as well": ((OPENS, -1_800_000, "GET", "google-proxy", ""), "machine", "before-acceptance"),
    "no user agent": ((OPENS, LATER, "GET", "none", ""), "unknown", "agent"),
    "one nobody knows": ((0, LATER, "GET", "other", ""), "unknown", "agent"),
}


def at(link: int, after: int, method: str = "GET", agent: str = "desktop", network: str = "") -> Fact:
    """Return a hit so many milliseconds after the acceptance."""
    return Fact(link, ACCEPTED + after, method, agent, network)


@pytest.mark.parametrize("case", CASES)
def test_each_rule_decides_what_it_is_for(case: str) -> None:
    """One hit alone, an hour after the acceptance unless its time matters."""
    fact, verdict, reason = CASES[case]
    assert judge({"f": at(*fact)}, ACCEPTED) == {"f": Judged(verdict, reason)}  # type: ignore[arg-type]


def test_without_an_acceptance_nothing_is_too_soon() -> None:
    """Nor before it: times are compared only where both are known, and a mail in doubt may have arrived."""
    judged = judge({"now": at(0, 0), "before": at(0, -LATER)}, None)
    assert {each.verdict for each in judged.values()} == {"human"}


def test_three_links_at_once_are_a_burst_with_all_in_its_midst() -> None:
    """Two may be a person; the third makes a machine of all three, and of the open between them."""
    facts = {"a": at(0, LATER), "b": at(1, LATER + 900)}
    assert {judged.verdict for judged in judge(facts, ACCEPTED).values()} == {"human"}
    facts |= {"open": at(OPENS, LATER + 500), "c": at(2, LATER + 3_000), "late": at(0, LATER + 9_000)}
    judged = judge(facts, ACCEPTED)
    assert {name for name, each in judged.items() if each == Judged("machine", "burst")} == {"a", "b", "c", "open"}
    assert judged["late"].verdict == "human"


def test_the_same_link_again_and_again_is_no_burst() -> None:
    """An impatient person clicks twice, and a third time."""
    facts = {str(after): at(0, LATER + after) for after in (0, 300, 600, 900)}
    assert {judged.verdict for judged in judge(facts, ACCEPTED).values()} == {"human"}


def test_a_crowded_second_makes_machines_of_clicks_and_leaves_opens_open() -> None:
    """From one network, of one kind; a network that many share anyway is never crowded."""
    facts = {"click": at(0, LATER, network="8.8.8.0/24"), "open": at(OPENS, LATER, network="8.8.8.0/24")}
    crowded = {crowd for fact in facts.values() if (crowd := crowd_of(fact))}
    assert len(crowded) == 2
    judged = judge(facts, ACCEPTED, crowded)
    assert judged == {"click": Judged("machine", "crowd"), "open": Judged("unknown", "crowd")}
    for network in (
        "",
        "10.1.2.0/24",
        "127.0.0.0/24",
        "172.20.1.0/24",
        "192.168.7.0/24",
        "100.70.1.0/24",
        "fd00:1::/48",
    ):
        assert crowd_of(at(0, LATER, network=network)) is None
    assert crowd_of(at(OPENS, LATER, agent="google-proxy", network="66.249.80.0/24")) is None


def test_scanners_are_known_by_every_part_of_their_networks() -> None:
    """/24 and /48, as hits name them."""
    assert scans("40.93.200.0/24")
    assert scans("2a01:111:f400::/48")
    assert not scans("40.94.0.0/24")
    assert not scans("")


def test_only_people_and_proxies_that_wait_for_them_count() -> None:
    """Apple's proxy is a proxy, and proves nothing."""
    assert [Judged("human", "x").counts, Judged("proxy", "google-proxy").counts] == [True, True]
    for judged in (Judged("proxy", "apple-privacy"), Judged("machine", "burst"), Judged("unknown", "agent")):
        assert not judged.counts
        assert judged.tally in TALLIES


AGENTS = ("", "none", "prefetch", "google-proxy", "apple-privacy", "automat", "mail-client", "desktop", "other")
FACTS = st.builds(
    at,
    link=st.integers(OPENS, 4),
    after=st.one_of(st.integers(-12_000, 12_000), st.integers(-LATER, LATER)),
    method=st.sampled_from(["GET", "GET", "GET", "HEAD"]),
    agent=st.sampled_from(AGENTS),
    network=st.sampled_from(["", "8.8.8.0/24", "104.47.9.0/24"]),
)


@given(st.lists(FACTS, max_size=12), st.randoms(use_true_random=False), st.one_of(st.none(), st.just(ACCEPTED)))
def test_order_and_repetition_change_no_verdict(facts: list[Fact], chance: object, accepted: int | None) -> None:
    """Any permutation, told any number of times, is judged alike."""
    told = [(f"f{place}", fact) for place, fact in enumerate(facts)]
    again = told * 3
    chance.shuffle(again)  # type: ignore[attr-defined]
    assert judge(dict(again), accepted) == judge(dict(told), accepted)


@given(st.dictionaries(st.text(min_size=1, max_size=3), FACTS, max_size=12), FACTS)
def test_what_one_more_hit_may_change_is_a_person_into_a_machine(facts: dict[str, Fact], more: Fact) -> None:
    """A later hit reveals a burst; it never makes a person of a machine."""
    before, after = judge(facts, ACCEPTED), judge({**facts, "more!": more}, ACCEPTED)
    for name, judged in before.items():
        assert after[name] in (judged, Judged("machine", "burst"))


@given(st.lists(FACTS, max_size=12))
def test_every_hit_has_a_verdict_with_its_reason(facts: list[Fact]) -> None:
    """None is lost, none stays without a reason."""
    judged = judge({str(place): fact for place, fact in enumerate(facts)}, ACCEPTED, rules=RULES)
    assert len(judged) == len(facts)
    assert all(each.reason and each.tally in TALLIES for each in judged.values())
