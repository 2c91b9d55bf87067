"""What follows for an address from what came back: only what is proven, once, and never against what a person said."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.consent.returns import What, what
from services.planner.consent.suppression import Return, Standing, Whom, consequences, meant
from shared.contracts.consent import AddressSuppressed, OptedOut, SuppressionLifted
from shared.contracts.envelope import DomainEvent
from shared.contracts.feedback import AutoReplyReceived, BounceReceived, ComplaintReceived, ReplyReceived

KEY = "0123456789abcdef"
PROVEN: dict[str, Any] = {"source": "file", "proven": "return-path", "mailing": "m1", "n": 0, "index": 7}


def _bounce(**more: object) -> BounceReceived:
    told = {"kind": "bounce", "reason": "user-unknown", "scope": "address", "permanent": True, "standard": True}
    return BounceReceived.model_validate(PROVEN | told | more)


def _came(kind: What, seq: int = 10, **more: Any) -> Return:  # noqa: ANN401 - fields of a return
    given = {"mailing": "m1", "n": 0, "index": 7, "address_key": KEY, "alone": True, "reason": "", "source": "file"}
    return Return(id="c.0", seq=seq, at=0, what=kind, **(given | more))


def _whom(blocked: str = "", reason: str = "", seq: int = 0, lists: tuple[str, ...] = ("l1",)) -> Whom:
    return Whom(KEY, lists, {"*": Standing(blocked, reason, seq)})


@pytest.mark.parametrize(
    ("event", "found"),
    [
        (_bounce(), "hard"),
        (_bounce(scope="domain", reason="null-mx"), "hard"),
        (_bounce(permanent=False, reason="mailbox-full"), "soft"),
        (_bounce(standard=False), "soft"),
        (_bounce(standard=False, proven="provider"), "hard"),
        (_bounce(scope="content", permanent=False, reason="spam"), "refused"),
        (_bounce(kind="delayed"), None),
        (_bounce(kind="delivered", reason="delivered", permanent=False), "alive"),
        (ComplaintReceived(**PROVEN, feedback_type="abuse"), "complaint"),
        (ComplaintReceived(**PROVEN, feedback_type="opt-out"), "opt-out"),
        (ComplaintReceived(**PROVEN, feedback_type="not-spam"), "not-spam"),
        (ReplyReceived(**PROVEN), "alive"),
        (AutoReplyReceived(**PROVEN), "alive"),
    ],
)
def test_what_an_event_stands_for(event: DomainEvent, found: str | None) -> None:
    """Words alone are never for good; a delay is nothing; the content's fault is not the address's."""
    assert what(event) == found
    assert what(event.model_copy(update={"proven": ""})) is None, "row 71: what nothing proves concludes nothing"


def test_for_good_and_a_complaint_close_the_address_at_once() -> None:
    """With reason, source and the mail it is about, for all mail of the brand."""
    (closed,) = consequences(_came("hard", reason="user-unknown"), _whom(), soft=0, most_soft=5)
    assert closed == AddressSuppressed(
        address_key=KEY, scope="*", reason="user-unknown", source="file", mailing="m1", n=0, index=7
    )
    (closed,) = consequences(_came("complaint"), _whom(), soft=0, most_soft=5)
    assert isinstance(closed, AddressSuppressed)
    assert closed.reason == "complaint"


def test_bounces_that_pass_close_it_when_there_are_many_in_a_row() -> None:
    """Not the fourth mailing, the fifth."""
    assert consequences(_came("soft"), _whom(), soft=4, most_soft=5) == []
    (closed,) = consequences(_came("soft"), _whom(), soft=5, most_soft=5)
    assert isinstance(closed, AddressSuppressed)
    assert closed.reason == "soft-bounces"


def test_an_opt_out_by_the_provider_is_an_opt_out() -> None:
    """Of the lists by which the person was mailed, or of all mail where they are not known."""
    out = consequences(_came("opt-out"), _whom(lists=("l1", "l2")), soft=0, most_soft=5)
    assert [event.scope for event in out if isinstance(event, OptedOut)] == ["l1", "l2"]
    (everything,) = consequences(_came("opt-out"), _whom(lists=()), soft=0, most_soft=5)
    assert isinstance(everything, OptedOut)
    assert everything.scope == "*"


def test_a_complaint_is_taken_back_and_nothing_else() -> None:
    """Row 76: what a complaint closed opens; a bounce, an operator or the person closed it for another reason."""
    back = _came("not-spam", seq=20)
    (lifted,) = consequences(back, _whom("suppressed", "complaint", 10), soft=0, most_soft=5)
    assert isinstance(lifted, SuppressionLifted)
    for now in (
        _whom("suppressed", "user-unknown", 10),
        _whom("opted_out", "", 10),
        _whom(),
        _whom("suppressed", "complaint", 30),
    ):
        assert consequences(back, now, soft=0, most_soft=5) == []


@given(
    st.sampled_from(["hard", "soft", "complaint", "opt-out", "refused", "alive"]),
    st.sampled_from(["", "opted_out", "suppressed"]),
    st.integers(0, 20),
)
def test_done_again_it_does_nothing_and_who_acted_since_has_the_last_word(kind: What, blocked: str, seq: int) -> None:
    """Somebody out already stays as they are; a lifting or an opt-in after the event is not undone by a repetition."""
    acts = consequences(_came(kind, seq=10, reason="moved"), _whom(blocked, "", seq), soft=9, most_soft=5)
    assert bool(acts) == (kind not in ("refused", "alive") and not blocked and seq <= 10)


def test_a_report_on_several_is_about_the_one_that_was_mailed() -> None:
    """An alias that leads to many: one of them being gone does not close the alias."""
    other = "fedcba9876543210"
    assert meant(_came("hard", address_key=other), KEY), "alone: a forwarding that leads nowhere"
    assert not meant(_came("hard", address_key=other, alone=False), KEY)
    assert meant(_came("hard", alone=False), KEY)
    assert meant(_came("hard", address_key="", alone=False), KEY)
