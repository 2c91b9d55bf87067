"""Tokens and sessions become principals while they hold, on a real log and a real bucket."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from nats.aio.client import Client as Connection

from shared import clock
from shared.contracts import subjects
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.principal import (
    PasswordChanged,
    PermissionsChanged,
    PrincipalAdded,
    PrincipalRevoked,
    SessionClosed,
)
from shared.contracts.principals import Principal
from shared.credentials import Session, sign_session, tokens_of
from shared.eventlog.documents import Documents
from shared.eventlog.errors import UnavailableError
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.keys import KeyRing
from shared.messaging.principals import Principals, Record, nats_principal
from tests.harness.nats import NatsServer
from tests.harness.waiting import until

RING = KeyRing.of("s" * 32, "p" * 32)
SOON = timedelta(hours=1)


@dataclass
class Office:
    """Adds principals as the planner does, and asks who somebody is."""

    log: EventLog
    records: Documents
    principals: Principals

    async def write(self, who: str, *events: DomainEvent) -> None:
        """Append to a principal."""
        expected = await self.log.last_seq(subjects.principal(who))
        origin = Origin(new_id(), "planner", clock.now())
        await self.log.append(subjects.principal(who), events, expected=expected, origin=origin)

    async def token(self, who: str, expires_at: datetime | None = None) -> str:
        """Issue a token that may view."""
        shown, token = tokens_of(RING, who, "cause")[0]
        record = Record(name="n", verifier=token.verifier)
        await self.records.put_once(subjects.principal_record(who, "r1"), record.model_dump_json().encode())
        await self.write(who, PrincipalAdded(kind="token", permissions=["view"], record="r1", expires_at=expires_at))
        return shown

    async def gone(self, bearer: str) -> None:
        """Wait until `bearer` is nobody's, which takes as long as the view needs to hear of it."""

        async def nobody() -> bool:
            return await self.principals.authenticate(bearer) is None

        await until(nobody, 5)


@pytest.fixture
async def office(log_streams: NatsServer, nc: Connection) -> AsyncIterator[Office]:
    """Yield principals that follow an empty log."""
    del log_streams
    log, records = EventLog(nc), Documents(nc, subjects.bucket(subjects.PRINCIPALS))
    principals = Principals(log, records, RING)
    await principals.start()
    yield Office(log, records, principals)
    await principals.stop()


async def test_a_fresh_token_works_at_once(office: Office) -> None:
    """The view asks the log before it refuses somebody it does not know."""
    for n in range(20):
        shown = await office.token(f"t{n}")
        assert await office.principals.authenticate(shown) == Principal(f"t{n}", "token", frozenset({"view"}))


async def test_a_token_that_does_not_hold_is_nobody(office: Office) -> None:
    """Expired, revoked, with another secret, of another id, or never issued."""
    assert await office.principals.authenticate(await office.token("late", clock.now() - SOON)) is None
    shown = await office.token("t1", clock.now() + SOON)
    assert await office.principals.authenticate(shown) is not None
    for other in (tokens_of(RING, "t1", "other")[0][0], tokens_of(RING, "t9", "cause")[0][0], "", "x" * 5000, "é"):
        assert await office.principals.authenticate(other) is None
    await office.write("t1", PrincipalRevoked())
    await office.gone(shown)


async def test_permissions_of_a_token_follow_the_log(office: Office) -> None:
    """A token stays when its permissions change."""
    shown = await office.token("t1")
    await office.write("t1", PermissionsChanged(permissions=["send"]))
    await office.principals.standings()
    assert await office.principals.authenticate(shown) == Principal("t1", "token", frozenset({"send"}))


async def test_a_session_holds_until_it_ends(office: Office) -> None:
    """It ends by time, alone by its closing, with all others by a new password, new permissions or removal."""
    await office.write("u1", PrincipalAdded(kind="user", permissions=["view"], record="r1"))
    ends = clock.now() + SOON
    ann = Principal("u1", "user", frozenset({"view"}))

    def session(name: str, epoch: int, until: datetime = ends) -> str:
        return sign_session(RING, Session("u1", name, epoch, until))

    assert await office.principals.authenticate(session("s1", 1)) == ann
    assert await office.principals.authenticate(session("s1", 1, clock.now() - SOON)) is None
    assert await office.principals.authenticate(session("s1", 7)) is None
    await office.write("u1", SessionClosed(session="s1", expires_at=ends))
    await office.gone(session("s1", 1))
    assert await office.principals.authenticate(session("s2", 1)) == ann
    for epoch, event in (
        (2, PasswordChanged(record="r2")),
        (3, PermissionsChanged(permissions=["view"])),
        (4, PrincipalRevoked()),
    ):
        await office.write("u1", event)
        await office.gone(session("s2", epoch - 1))
        found = await office.principals.authenticate(session("s2", epoch))
        assert found == (None if epoch == 4 else ann)


async def test_a_token_cannot_be_used_as_a_session_nor_the_other_way_round(office: Office) -> None:
    """Each proves itself in its own way only."""
    await office.token("t1")
    assert await office.principals.authenticate(sign_session(RING, Session("t1", "s", 1, clock.now() + SOON))) is None
    await office.write("u1", PrincipalAdded(kind="user", permissions=["view"], record="r1"))
    assert await office.principals.authenticate(tokens_of(RING, "u1", "cause")[0][0]) is None


async def test_what_stood_in_the_log_is_known_after_a_start(office: Office, nc: Connection) -> None:
    """A service that starts knows everybody before it answers."""
    shown = await office.token("t1")
    fresh = Principals(EventLog(nc), office.records, RING)
    await fresh.start()
    assert (await fresh.standings())["t1"].active
    assert await fresh.authenticate(shown) is not None
    await fresh.stop()


async def test_while_the_view_stands_still_nobody_is_guessed(office: Office) -> None:
    """A view that stopped says so instead of trusting what it knew."""
    shown = await office.token("t1")
    assert office.principals.problem() == ""
    await office.principals.stop()
    assert office.principals.problem()
    with pytest.raises(UnavailableError):
        await office.principals.authenticate(shown)


def test_nats_users_have_fixed_permissions() -> None:
    """Those of the server's configuration; everybody else is nobody."""
    operator = nats_principal("operator")
    assert operator is not None
    assert operator.may("administer")
    producer = nats_principal("producer")
    assert producer is not None
    assert not producer.may("administer")
    assert nats_principal("stranger") is None
