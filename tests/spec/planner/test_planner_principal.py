"""Rules of principals: people and tokens."""

from datetime import UTC, datetime, timedelta

from services.planner.principals.principal import Add, Close, PrincipalDecider, Revoke, SetPassword, SetPermissions
from shared.contracts.principal import (
    SESSION_LIFETIME,
    PasswordChanged,
    PermissionsChanged,
    PrincipalAdded,
    PrincipalRevoked,
    SessionClosed,
)
from tests.harness.decider_spec import spec

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=3)
TOKEN = PrincipalAdded(kind="token", permissions=["view", "send"], record="r1", expires_at=LATER)
ANN = PrincipalAdded(kind="user", permissions=["view"], record="r1")


def test_a_token_may_do_something_and_expires_in_the_future() -> None:
    """Without permissions it is useless, and one that has expired is refused."""
    fresh = spec(PrincipalDecider())
    nothing = TOKEN.model_copy(update={"permissions": []})
    fresh.when(Add(nothing, NOW)).then_refused("permissions_missing", "permissions")
    fresh.when(Add(TOKEN, LATER)).then_refused("expires_in_past", "expires_at")
    it = fresh.when(Add(TOKEN, NOW)).then(TOKEN)
    assert it.state.holds(NOW)
    assert not it.state.holds(LATER)


def test_permissions_are_written_once_and_in_order() -> None:
    """However they were given."""
    mixed = TOKEN.model_copy(update={"permissions": ["send", "view", "send"]})
    spec(PrincipalDecider()).when(Add(mixed, NOW)).then(TOKEN)


def test_a_revoked_token_never_comes_back() -> None:
    """Its id is not used again."""
    it = spec(PrincipalDecider()).given(TOKEN).when(Revoke("token")).then(PrincipalRevoked())
    assert not it.state.holds(NOW)
    it.when(Add(TOKEN, NOW)).then_refused("token_revoked")


def test_only_what_there_is_can_be_revoked() -> None:
    """A token is no user, a user no token."""
    spec(PrincipalDecider()).when(Revoke("token")).then_refused("token_unknown", "token")
    spec(PrincipalDecider()).given(ANN).when(Revoke("token")).then_refused("token_unknown")
    spec(PrincipalDecider()).given(TOKEN).when(Revoke("user")).then_refused("user_unknown", "user")


def test_an_address_is_one_person_who_may_come_back() -> None:
    """Added once; after removal again, in another epoch."""
    again = ANN.model_copy(update={"record": "r2"})
    it = spec(PrincipalDecider()).when(Add(ANN, NOW)).then(ANN)
    it.when(Add(again, NOW)).then_refused("user_exists", "email")
    it.when(Revoke("user")).then(PrincipalRevoked())
    assert it.when(Add(again, NOW)).then(again).state.epoch == 3


def test_sessions_end_with_password_and_permissions() -> None:
    """Each change moves the epoch, and only a change."""
    it = spec(PrincipalDecider()).given(ANN)
    it.when(SetPermissions(["view"])).then_nothing()
    it.when(SetPermissions(["send", "view"])).then(PermissionsChanged(permissions=["view", "send"]))
    it.when(SetPassword("r1")).then_nothing()
    assert it.when(SetPassword("r2")).then(PasswordChanged(record="r2")).state.epoch == 3


def test_a_token_has_neither_password_nor_sessions() -> None:
    """And whoever was removed has nothing."""
    for it in (spec(PrincipalDecider()).given(TOKEN), spec(PrincipalDecider()).given(ANN, PrincipalRevoked())):
        it.when(SetPassword("r2")).then_refused("user_unknown", "user")
        it.when(SetPermissions([])).then_refused("user_unknown")
        it.when(Close("s1", 1, LATER, NOW)).then_refused("user_unknown")


def test_one_session_is_closed_and_the_others_go_on() -> None:
    """What ended by time or epoch needs no event."""
    it = spec(PrincipalDecider()).given(ANN)
    it.when(Close("s1", 1, LATER, LATER)).then_nothing()
    it.when(Close("s1", 2, LATER, NOW)).then_nothing()
    it.when(Close("s1", 1, LATER, NOW)).then(SessionClosed(session="s1", expires_at=LATER))
    assert set(it.state.closed) == {"s1"}


def test_marks_of_closed_sessions_do_not_pile_up() -> None:
    """A mark goes when its session would have ended anyway, or with the epoch."""
    it = spec(PrincipalDecider()).given(ANN, SessionClosed(session="s1", expires_at=NOW))
    it.given(SessionClosed(session="s2", expires_at=NOW + SESSION_LIFETIME - timedelta(seconds=1)))
    assert set(it.state.closed) == {"s1", "s2"}
    it.given(SessionClosed(session="s3", expires_at=NOW + SESSION_LIFETIME))
    assert set(it.state.closed) == {"s2", "s3"}
    assert it.given(PasswordChanged(record="r2")).state.closed == {}
