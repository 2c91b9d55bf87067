"""Who may do what, and what principals show to prove who they are."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.permissions import USERS
from shared.contracts.api import ENDPOINTS, Endpoint
from shared.contracts.principals import NATS_USERS, PERMISSIONS, Permission, Principal
from shared.credentials import Session, read_session, read_token, sign_session, tokens_of
from shared.keys import KeyRing

DOCUMENT = (Path(__file__).parents[2] / "docs/principals.md").read_text()
OLD, NEW = "old secret of more than thirty-two characters", "new secret of more than thirty-two characters"
PEPPER = "pepper of more than thirty-two characters"
RING = KeyRing.of(OLD, PEPPER)
STRANGER = KeyRing.of("a stranger's secret of more than thirty-two", PEPPER)
UNTIL = datetime(2027, 1, 1, tzinfo=UTC)
SESSION = Session("u1", "s1", 3, UNTIL)


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_a_request_needs_its_permission_and_no_other(endpoint: Endpoint) -> None:
    """All permissions but the one are not enough, the one alone is; where none is needed, anybody may."""
    if endpoint.permission is None:
        assert endpoint.refusal(None) is None
        return
    nobody = endpoint.refusal(None)
    assert nobody is not None
    assert nobody.code == "unauthenticated"
    if endpoint.permission == "own":
        assert endpoint.refusal(Principal("p", "user", frozenset())) is None
        return
    refusal = endpoint.refusal(Principal("p", "token", frozenset(PERMISSIONS) - {endpoint.permission}))
    assert refusal is not None
    assert refusal.code == "forbidden"
    assert endpoint.permission in refusal.message
    assert endpoint.refusal(Principal("p", "token", frozenset({endpoint.permission}))) is None


def test_every_nats_user_has_its_permissions() -> None:
    """The users of the server are those that may ask, and the one who deploys, who asks nobody."""
    assert set(NATS_USERS) | {"deploy"} == set(USERS)


def test_the_document_names_all_permissions_and_nats_users() -> None:
    """docs/principals.md says what the data says."""
    rows = dict(re.findall(r"^\| (`.+`) \| (.+) \|$", DOCUMENT, re.MULTILINE))
    assert {f"`{permission}`" for permission in PERMISSIONS} <= set(rows)
    told: dict[str, frozenset[Permission]] = {}
    for users, may in rows.items():
        granted = PERMISSIONS if may == "everything" else [one for one in PERMISSIONS if f"`{one}`" in may]
        told |= {user: frozenset(granted) for user in re.findall(r"`(\w+)`", users) if user in NATS_USERS}
    assert told == NATS_USERS


def test_the_same_cause_makes_the_same_token() -> None:
    """It can be given again though it is kept nowhere; another cause, id or key makes another."""
    ((shown, token),) = tokens_of(RING, "t1", "cause")
    assert read_token(shown) == token
    assert tokens_of(RING, "t1", "cause") == [(shown, token)]
    others = [tokens_of(RING, "t1", "x"), tokens_of(RING, "t2", "cause"), tokens_of(STRANGER, "t1", "cause")]
    assert all(other[0][1].verifier != token.verifier for other in others)
    assert tokens_of(KeyRing.of(f"{NEW},{OLD}", PEPPER), "t1", "cause")[1] == (shown, token)


@pytest.mark.parametrize(
    "change", [lambda text: text[:-1], lambda text: text + "A", str.upper, lambda text: f" {text}"]
)
def test_what_is_no_token_is_none(change: "object") -> None:
    """Shapes are exact."""
    assert callable(change)
    assert read_token(change(tokens_of(RING, "t1", "cause")[0][0])) is None


def test_a_session_is_read_with_any_key_of_the_ring() -> None:
    """It survives a rotation, and nobody else can make one."""
    shown = sign_session(RING, SESSION)
    assert read_session(RING, shown) == SESSION
    assert read_session(KeyRing.of(f"{NEW},{OLD}", PEPPER), shown) == SESSION
    assert read_session(STRANGER, shown) is None
    assert read_session(RING, sign_session(STRANGER, SESSION)) is None


@given(place=st.integers(0, 200), put=st.sampled_from("azAZ09._-"))
def test_a_session_that_was_changed_is_none(place: int, put: str) -> None:
    """Not one character may differ."""
    shown = sign_session(RING, SESSION)
    place %= len(shown)
    changed = shown[:place] + put + shown[place + 1 :]
    assert read_session(RING, changed) == (SESSION if changed == shown else None)


def test_a_session_says_what_it_was_signed_for() -> None:
    """User, id, epoch and end, each of its own."""
    for other in (
        Session("u2", "s1", 3, UNTIL),
        Session("u1", "s2", 3, UNTIL),
        Session("u1", "s1", 4, UNTIL),
        Session("u1", "s1", 3, UNTIL + timedelta(seconds=1)),
    ):
        assert read_session(RING, sign_session(RING, other)) == other != SESSION
