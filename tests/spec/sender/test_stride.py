"""How much a worker claims at once: halves one ahead of the other, or whole windows where many are at work."""

import pytest

from services.sender.work.stride import MANY, Crowd, Stride, stride

VALIDITY = 15.0


def _stride(
    window: int = 50,
    *,
    limited: bool = False,
    working: int = MANY,
    each: float = 0.01,
    validity: float = VALIDITY,
    wired: int = 0,
) -> Stride:
    return stride(window, limited=limited, crowd=Crowd(working), each=each, validity=validity, wired=wired)


def test_few_connections_claim_halves_ahead() -> None:
    """With few connections at work none waits for an append."""
    assert _stride(working=MANY - 1) == Stride(25, ahead=True)


def test_many_connections_claim_whole_windows() -> None:
    """With many, a window is claimed when the last one is answered."""
    assert _stride() == Stride(50, ahead=False)


@pytest.mark.parametrize("each", [0.0, VALIDITY / 100])
def test_a_relay_that_is_slow_or_not_known_gets_halves(each: float) -> None:
    """A claim should be young when its last mail goes out."""
    assert _stride(each=each) == Stride(25, ahead=True)


def test_what_is_limited_goes_in_halves() -> None:
    """A window that a rate made smaller is claimed by halves, as its slots are."""
    assert _stride(20, limited=True) == Stride(10, ahead=True)


@pytest.mark.parametrize("working", [1, MANY])
def test_a_window_of_one_is_never_claimed_ahead(working: int) -> None:
    """One mail at a time means one claim at a time."""
    assert _stride(1, working=working) == Stride(1, ahead=False)


@pytest.mark.parametrize("working", [1, MANY])
@pytest.mark.parametrize("window", [1, 2, 3, 25, 50, 500])
def test_no_worker_holds_more_than_its_window(window: int, working: int) -> None:
    """What is on the wire and what is claimed ahead of it are one window together."""
    found = _stride(window, working=working)
    assert found.most * (2 if found.ahead else 1) <= window
    half = _stride(window, working=1).most
    ahead = _stride(window, working=working, wired=half)  # it has become a crowd while a half is on the wire
    assert ahead.most + half <= max(window, 2)
