"""Each domain of the lane `rest` keeps its limits by itself; senders share them, and never make more of them."""

import itertools
import random
from collections import Counter

import pytest

from services.sender.limits.domains import ELSEWHERE, KEPT, TURN, DomainLimit, Domains, Share
from services.sender.limits.rules import Rules
from services.sender.limits.spacing import spacing
from services.sender.work.work import MOMENT
from shared.contracts.account import AccountAdded, AccountLimits, ProviderLimits
from shared.providers import BUILT_IN

pytestmark = pytest.mark.feature("B4")

BUSY, OTHER = "busy.example", "other.example"
START = 1_000_000.0


def limit(connections: int | None = None, **rates: int) -> DomainLimit:
    """Return what holds for each domain."""
    return DomainLimit(spacing(AccountLimits.model_validate(rates)), connections)


class World:
    """Senders of one account, and a time that goes by."""

    def __init__(self, senders: int = 1) -> None:
        self.time = START
        self.senders = [self._sender(rank, senders) for rank in range(senders)]

    def _sender(self, rank: int, senders: int) -> Domains:
        return Domains(lambda: Share(rank, senders), lambda: self.time)


@pytest.mark.parametrize(("most", "senders"), [(2, 1), (5, 3), (100, 1), (100, 2)])
def test_a_rate_is_kept_by_all_senders_together(most: int, senders: int) -> None:
    """Whoever claims whenever, and however long a claim waits: the limit and one a sender at most in any second.

    Where all ask all the time most of it is used, and hardly a mail is claimed in vain.
    """
    chance, world, kept = random.Random(senders), World(senders), limit(per_second=most)
    went: list[float] = []
    early = 0
    waiting: list[tuple[float, Domains]] = []
    while world.time < START + 8:
        sender = chance.choice(world.senders)
        if sender.claim(BUSY, kept, 1):
            waiting.append((world.time + chance.random() / 20, sender))
        for due, of in sorted(waiting, key=lambda each: each[0]):
            if due <= world.time:
                departed = of.depart(BUSY, kept, 1)
                early += not departed
                went += [world.time] if departed else []
                of.landed(BUSY, 1, departed=departed)
                waiting.remove((due, of))
        world.time += chance.random() / 500
    assert max(sum(1 for at in went if start <= at < start + 1) for start in went) <= most + senders
    assert len(went) > 8 * most * 0.5
    assert early < len(went) / 20


def test_others_go_on_while_a_domain_has_no_room() -> None:
    """What one domain takes is nothing that another one lacks."""
    (domains,) = World().senders
    kept = limit(per_minute=1, connections=1)
    assert domains.claim(BUSY, kept, 1)
    assert not domains.open(BUSY, kept, 1)
    assert domains.open(OTHER, kept, 2)
    assert domains.claim(OTHER, kept, 2)


def test_so_many_connections_carry_mail_for_a_domain() -> None:
    """A claim may hold many mails for it; a further connection waits until all of another one's have landed."""
    (domains,) = World().senders
    kept = limit(connections=2)
    assert all(domains.claim(BUSY, kept, whose) for whose in (1, 1, 2))
    assert not domains.claim(BUSY, kept, 3)
    domains.landed(BUSY, 1, departed=True)
    assert not domains.claim(BUSY, kept, 3)
    domains.landed(BUSY, 1, departed=False)
    assert domains.claim(BUSY, kept, 3)
    domains.left([BUSY, OTHER], 3)
    assert domains.claim(BUSY, kept, 1)


@pytest.mark.parametrize("connections", [1, 2, 5, 7])
def test_senders_share_the_connections_of_every_domain(connections: int) -> None:
    """Together they have just so many; where there are fewer than senders, each domain is somebody's, not all one's."""
    kept, alone = limit(connections), Counter[int]()
    for at in range(200):
        parts = [Share(rank, 3).connections(kept, f"d{at}.example") for rank in range(3)]
        assert sum(parts) == connections
        alone.update(rank for rank, part in enumerate(parts) if part)
    assert min(alone.values()) > 20


def test_a_sender_that_joins_waits_until_the_others_know() -> None:
    """Nothing for a limited domain before; it says when to come back."""
    domains = Domains(lambda: Share(1, 2, START + 9), lambda: START)
    kept = limit(per_second=5)
    assert not domains.open(BUSY, kept, 1)
    assert domains.due([BUSY], kept) == START + 9


def test_who_waits_comes_back_one_after_the_other() -> None:
    """Chunks that have nobody left but at one domain do not all come back for its next slot."""
    (domains,) = World().senders
    kept = limit(per_minute=60)
    assert domains.claim(BUSY, kept, 1)
    assert domains.depart(BUSY, kept, 1)
    waits = [domains.due([BUSY], kept) for _ in range(3)]
    assert [round(later - earlier) for earlier, later in itertools.pairwise(waits)] == [1, 1]
    full = limit(connections=1)
    assert domains.due([OTHER], full) == START
    assert domains.claim(OTHER, full, 1)
    assert domains.due([OTHER], full) >= START + TURN
    (not_ours,) = (rank for rank in range(2) if not Share(rank, 2).connections(full, OTHER))
    elsewhere = Domains(lambda: Share(not_ours, 2), lambda: START)
    assert elsewhere.due([OTHER], full) == START + ELSEWHERE


def test_a_connection_is_not_kept_for_a_domain_that_others_carry() -> None:
    """However often one asks, alone: it is sent away for longer than a work waits with its connection."""
    world, full = World(), limit(connections=1)
    (domains,) = world.senders
    assert domains.claim(BUSY, full, 1)
    for _ in range(10):
        due = domains.due([BUSY], full)
        assert due - world.time > MOMENT
        world.time = due


def test_what_an_account_says_of_domains_comes_last_and_default_is_not_about_them() -> None:
    """`domain` stands among the providers; where nobody says anything there is no limit."""
    account = AccountAdded(name="r", host="relay.example", port=587, senders=["a@example.com"], connections=8)
    rules = Rules(BUILT_IN)
    assert rules.paced(account).domain is None
    told = account.model_copy(update={"providers": {"domain": ProviderLimits(connections=2, per_minute=30)}})
    found = rules.paced(told)
    assert found.domain == limit(connections=2, per_minute=30)
    assert "domain" not in found.providers


def test_memory_holds_the_domains_that_have_to_wait() -> None:
    """Thousands of domains come and go; one that may not get its next mail yet is never forgotten."""
    world, kept = World(), limit(per_minute=60)
    (domains,) = world.senders
    assert domains.claim(BUSY, kept, 1)
    world.time += 30 * KEPT
    assert domains.depart(BUSY, kept, 1)
    for at in range(2 * KEPT):
        assert domains.claim(f"d{at}.example", kept, 2)
        domains.landed(f"d{at}.example", 2, departed=False)
    assert len(domains.known) <= KEPT
    assert not domains.open(BUSY, kept, 3)
