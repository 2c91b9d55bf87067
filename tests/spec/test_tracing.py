"""Places in traces derive from ids; what is off costs nothing that counts."""

import hashlib
import timeit

import pytest

from services.sender.work.spans import Attempt, Phases
from shared import tracing
from shared.contracts.sending import Group
from shared.contracts.subjects import ChunkRef
from shared.settings import Settings
from shared.tracing import Rarely
from tests.harness.spans import recorded


def test_whoever_knows_the_ids_knows_the_place() -> None:
    """The same parts give the same place on every machine; other parts another one in the same trace."""
    whole, chunk = tracing.whole("m1"), tracing.piece("m1", "chunk", 7)
    assert f"{whole.trace:032x} {whole.span:016x}" == "76642d7f0f34b7ccf384761e2b9b8a68 7295776ea42b12b8"
    assert chunk == tracing.piece("m1", "chunk", 7)
    assert chunk.trace == whole.trace
    assert len({whole.span, chunk.span, tracing.piece("m1", "chunk", 8).span}) == 3
    assert tracing.whole("m2").trace != whole.trace
    assert tracing.some(whole).trace == whole.trace


def test_a_share_of_the_mailings_is_traced_and_always_the_same() -> None:
    """A quarter is about a quarter, and whoever has the same share chooses the same ones."""
    chosen = []
    for _ in range(2):
        with recorded(0.25) as spans:
            for number in range(1000):
                tracing.record("x", tracing.begin(), tracing.some(tracing.whole(f"m{number}")))
        chosen.append({span.place.trace for span in spans})
    assert chosen[0] == chosen[1]
    assert 180 < len(chosen[0]) < 320


def test_a_span_never_ends_before_it_began() -> None:
    """A clock that was set back between makes it a span of no length."""
    with recorded() as spans:
        began = tracing.begin()
        tracing.record("x", began, tracing.whole("m1"), ended=began - 1)
    assert [(span.began, span.ended) for span in spans] == [(began, began)]


def test_rarely_lets_through_so_many_a_second() -> None:
    """What comes too early is not recorded, nor is anything while tracing is off."""
    rarely = Rarely(0.01)
    assert rarely.begin() == 0
    with recorded():
        assert rarely.begin() > 0
        assert rarely.begin() == 0


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_between_nothing_and_everything(share: float) -> None:
    """Other settings are refused."""
    with pytest.raises(ValueError, match="trace_share"):
        Settings(trace_share=share)


@pytest.mark.alone
def test_what_is_off_costs_nothing_that_counts() -> None:
    """A half-window of 25 mails of 11 KB pays for tracing that is off less than a hundredth of their digests."""
    attempt, groups = Attempt(ChunkRef("account", "rest", "m1", 0)), [Group(outcome="accepted", indexes="0-24")]
    mail = bytes(11_000)

    def traced() -> None:
        phases = Phases()
        phases.confirm = tracing.begin()
        phases.ready = tracing.begin()
        phases.wire = tracing.begin()
        attempt.flown(phases, 25)
        attempt.settled(groups)

    def digested() -> None:
        for _ in range(25):
            hashlib.sha256(mail).digest()

    cost = min(timeit.repeat(traced, number=2000, repeat=7)) / 2000
    yardstick = min(timeit.repeat(digested, number=100, repeat=7)) / 100
    assert cost < yardstick / 100, f"{cost * 1e9:.0f} ns, the digests {yardstick * 1e9:.0f} ns"
