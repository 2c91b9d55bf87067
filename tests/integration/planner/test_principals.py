"""People, tokens, sessions and the audit, on a planner with real log, bucket and SQL."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from services.planner import audit
from services.planner.audit import AUDIT
from services.planner.idempotency import REQUESTS
from services.planner.principals.records import Records
from services.planner.principals.throttle import ATTEMPTS
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.api import ENDPOINTS
from shared.contracts.commands import Answer, Command
from shared.contracts.principals import Principal
from shared.database import create_engine
from shared.eventlog.documents import Documents
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.keys import KeyRing
from shared.messaging.answers import Asked
from shared.messaging.client import Client
from shared.messaging.principals import Principals, Record, nats_principal
from tests.harness.nats import NatsServer
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

SECRET = "correct horse battery staple"
OTHER = "another long password"
ANN = commands.AddUser(name="Ann Example", email="Ann@Example.com", password=SECRET, permissions=["view"])


@pytest.fixture
async def principals(desk: Desk) -> AsyncIterator[Principals]:
    """Yield the view that reporting would have."""
    ring = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    view = Principals(EventLog(desk.nc), Documents(desk.nc, subjects.bucket(subjects.PRINCIPALS)), ring)
    await view.start()
    yield view
    await view.stop()


async def refused(desk: Desk, wanted: Command) -> str:
    """Return the code of a refusal, "" where it was done."""
    answer = await desk.client.command(wanted)
    return answer.refusal.code if answer.refusal else ""


def stored(server: NatsServer) -> bytes:
    """Return all bytes of the server's message files."""
    return b"".join(file.read_bytes() for file in Path(server.store_dir).rglob("*.blk"))


async def test_a_token_is_shown_to_whoever_issued_it_and_stored_nowhere(
    desk: Desk, principals: Principals, log_streams: NatsServer
) -> None:
    """The same key shows it again; neither log nor bucket nor SQL hold it; its name stands in the bucket alone."""
    wanted = commands.IssueToken(name="shop system", permissions=["view", "send"])
    first = (await desk.client.command(wanted, key="k1")).data
    assert (await desk.client.command(wanted, key="k1")).data == first
    assert (await desk.client.command(wanted, key="k2")).data != first
    found = await principals.authenticate(first["secret"])
    assert found == Principal(first["token"], "token", frozenset({"view", "send"}))
    secret = first["secret"].rpartition("_")[2].encode()
    assert secret not in stored(log_streams)
    engine = create_engine(desk.settings, "planner")
    async with engine.connect() as conn:
        rows = [*await conn.execute(select(REQUESTS)), *await conn.execute(select(AUDIT))]
    await engine.dispose()
    assert len(rows) == 2 + 3
    assert secret.decode() not in repr(rows)
    assert "shop" not in repr(rows)
    events = (await desk.log.load(subjects.principal(first["token"])))[0].events
    assert "shop" not in repr(events)
    answer = await desk.client.command(wanted.model_copy(update={"name": "other"}), key="k1")
    assert answer.refusal is not None
    assert answer.refusal.code == "idempotency_key_reused"


async def test_a_revoked_token_is_nobodys_and_its_record_is_overwritten(
    desk: Desk, principals: Principals, log_streams: NatsServer
) -> None:
    """Also where the command that issued it comes once more."""
    wanted = commands.IssueToken(name="a very special name", permissions=["view"])
    issued = (await desk.client.command(wanted, key="k")).data
    assert b"a very special name" in stored(log_streams)
    (row,) = (await desk.ask(commands.Tokens()))["tokens"]
    assert (row["token"], row["name"], row["permissions"]) == (issued["token"], wanted.name, ["view"])
    await desk.do(commands.RevokeToken(token=issued["token"]))
    await desk.do(commands.RevokeToken(token=issued["token"]))
    answer = await desk.client.command(wanted, key="k")
    assert answer.refusal is not None
    assert answer.refusal.code == "token_revoked"
    assert (await desk.ask(commands.Tokens()))["tokens"] == []

    async def nobodys() -> bool:
        return await principals.authenticate(issued["secret"]) is None

    await until(nobodys)
    assert b"a very special name" not in stored(log_streams)


async def test_a_person_signs_in_and_out(desk: Desk, principals: Principals) -> None:
    """However the address is written; the session is the person, until it is closed."""
    user = (await desk.do(ANN))["user"]
    signed = await desk.do(commands.OpenSession(email=" ann@example.COM ", password=SECRET))
    assert (signed["user"], signed["name"], signed["permissions"]) == (user, "Ann Example", ["view"])
    other = await desk.do(commands.OpenSession(email="ann@example.com", password=SECRET))
    ann = Principal(user, "user", frozenset({"view"}))
    assert await principals.authenticate(signed["session"]) == ann
    for _ in range(2):
        await desk.do(commands.CloseSession(session=signed["session"]))
    await desk.do(commands.CloseSession(session="phs_nonsense"))

    async def closed() -> bool:
        return await principals.authenticate(signed["session"]) is None

    await until(closed)
    assert await principals.authenticate(other["session"]) == ann


async def test_who_cannot_sign_in_is_refused_alike(desk: Desk) -> None:
    """A wrong password, an unknown address, no address at all, a removed person: one refusal, word for word."""
    user = (await desk.do(ANN))["user"]
    await desk.do(ANN.model_copy(update={"email": "gone@example.com"}))
    gone = next(row["user"] for row in (await desk.ask(commands.Users()))["users"] if row["user"] != user)
    await desk.do(commands.RemoveUser(user=gone))
    refusals = set()
    for email, password in (
        ("ann@example.com", OTHER),
        ("bob@example.com", SECRET),
        ("gone@example.com", SECRET),
        ("no address", SECRET),
        ("", ""),
    ):
        refusals.add((await desk.client.command(commands.OpenSession(email=email, password=password))).refusal)
    assert len(refusals) == 1
    refusal = refusals.pop()
    assert refusal is not None
    assert refusal.code == "sign_in_failed"


@pytest.mark.usefixtures("database")
async def test_guessing_is_slowed_down(desk: Desk) -> None:
    """After five failures even the right password waits; another person does not; time heals."""
    await desk.do(ANN)
    await desk.do(ANN.model_copy(update={"email": "bob@example.com"}))
    right = commands.OpenSession(email="ann@example.com", password=SECRET)
    codes = [await refused(desk, right.model_copy(update={"password": f"guess {n}"})) for n in range(6)]
    assert codes == ["sign_in_failed"] * 5 + ["too_many_attempts"]
    assert await refused(desk, right) == "too_many_attempts"
    assert await refused(desk, right.model_copy(update={"email": "bob@example.com"})) == ""
    engine = create_engine(desk.settings, "planner")
    async with engine.begin() as conn:
        await conn.execute(update(ATTEMPTS).values(at=ATTEMPTS.c.at - 2_000))
    assert await refused(desk, right) == ""
    async with engine.begin() as conn:
        left = {row.scope: row.failures for row in await conn.execute(select(ATTEMPTS))}
    assert left == {" operator": 5}
    await engine.dispose()


@pytest.mark.usefixtures("database")
async def test_guesses_at_the_same_time_gain_nothing(desk: Desk) -> None:
    """Attempts count before they are made."""
    await desk.do(ANN)
    guesses = [commands.OpenSession(email="ann@example.com", password=f"guess {n}") for n in range(20)]
    codes = await asyncio.gather(*(refused(desk, guess) for guess in guesses))
    assert sorted(codes) == ["sign_in_failed"] * 5 + ["too_many_attempts"] * 15


async def test_an_address_is_one_person(desk: Desk) -> None:
    """Added once; the one that is refused leaves no record; after removal again, with the new password alone."""
    user = (await desk.do(ANN))["user"]
    again = commands.AddUser(name="Impostor", email="ann@EXAMPLE.com", password=OTHER, permissions=["administer"])
    assert await refused(desk, again) == "user_exists"
    assert await refused(desk, again.model_copy(update={"email": "nobody"})) == "address_invalid"
    assert [row["name"] for row in (await desk.ask(commands.Users()))["users"]] == ["Ann Example"]
    records = await desk.nc.jetstream().stream_info(subjects.bucket(subjects.PRINCIPALS))
    assert records.state.messages == 1
    await desk.do(commands.RemoveUser(user=user))
    assert (await desk.do(again))["user"] == user
    assert await refused(desk, commands.OpenSession(email="ann@example.com", password=SECRET)) == "sign_in_failed"
    assert await refused(desk, commands.OpenSession(email="ann@example.com", password=OTHER)) == ""


async def test_of_two_who_add_the_same_person_one_wins_as_a_whole(desk: Desk) -> None:
    """The name and password that hold are those of the one whose event stands."""
    rivals = [commands.AddUser(name=f"n{n}", email="x@example.com", password=f"password of {n}") for n in range(4)]
    answers = await asyncio.gather(*(desk.client.command(rival) for rival in rivals))
    (winner,) = [rival for rival, answer in zip(rivals, answers, strict=True) if answer.ok]
    signed = await desk.do(commands.OpenSession(email="x@example.com", password=winner.password))
    assert signed["name"] == winner.name
    records = await desk.nc.jetstream().stream_info(subjects.bucket(subjects.PRINCIPALS))
    assert records.state.messages == 1


async def test_another_password_or_other_permissions_end_all_sessions(desk: Desk, principals: Principals) -> None:
    """The old password is overwritten; a repeated command does not bring it back."""
    user = (await desk.do(ANN))["user"]
    old = await desk.do(commands.OpenSession(email="ann@example.com", password=SECRET))
    change = commands.SetPassword(user=user, password=OTHER)
    done = await desk.client.command(change, key="k")
    assert await desk.client.command(change, key="k") == done
    assert await refused(desk, commands.OpenSession(email="ann@example.com", password=SECRET)) == "sign_in_failed"
    new = await desk.do(commands.OpenSession(email="ann@example.com", password=OTHER))
    assert await principals.authenticate(new["session"]) is not None
    assert await principals.authenticate(old["session"]) is None
    await desk.do(commands.ChangePermissions(user=user, permissions=["view", "send"]))
    third = await desk.do(commands.OpenSession(email="ann@example.com", password=OTHER))
    assert third["permissions"] == ["view", "send"]
    assert await principals.authenticate(third["session"]) is not None
    assert await principals.authenticate(new["session"]) is None
    records = await desk.nc.jetstream().stream_info(subjects.bucket(subjects.PRINCIPALS))
    assert records.state.messages == 1


@pytest.mark.usefixtures("database")
async def test_no_password_can_be_guessed_from_the_table_of_requests(desk: Desk) -> None:
    """The digest of a body is keyed; sessions are not in it at all."""
    await desk.client.command(ANN, key="k")
    await desk.client.command(commands.OpenSession(email="ann@example.com", password=SECRET), key="s")
    engine = create_engine(desk.settings, "planner")
    async with engine.connect() as conn:
        rows = list(await conn.execute(select(REQUESTS)))
    await engine.dispose()
    assert [row.key for row in rows] == ["k"]
    body = json.dumps(["user.add", ANN.model_dump(mode="json", exclude_defaults=True)], sort_keys=True)
    assert rows[0].digest != hashlib.sha256(body.encode()).hexdigest()


async def test_records_that_a_crash_left_are_swept(desk: Desk, principals: Principals) -> None:
    """What no principal points to goes, but not while somebody may be writing it; what holds stays."""
    await desk.do(ANN)
    bucket = subjects.bucket(subjects.PRINCIPALS)
    records = Records(Documents(desk.nc, bucket), Reader(desk.nc, bucket))
    await records.put("u0", "r0", Record(name="left behind", verifier="x"))
    assert await records.sweep(principals.standings) == 0
    assert await records.sweep(principals.standings, under_way=timedelta(seconds=-5)) == 1
    assert await records.get("u0", "r0") is None
    assert len((await desk.ask(commands.Users()))["users"]) == 1


@pytest.mark.feature("B21")
@pytest.mark.usefixtures("database")
async def test_the_audit_says_who_asked_for_what_and_what_came_of_it(desk: Desk) -> None:
    """Done, refused, forbidden, with and without key; about whom; newest first, in pages."""
    user = (await desk.do(ANN))["user"]
    await desk.client.command(commands.OpenSession(email="ann@example.com", password=OTHER))
    await desk.client.command(commands.PauseMailing(mailing="m1"), key="k")
    stranger = Client(desk.nc, "sender")
    await stranger.command(commands.RemoveUser(user=user))
    rows = (await desk.ask(commands.AuditTrail()))["rows"]
    told = [(row["command"], row["principal"], row["about"], row["via"], row["outcome"]) for row in rows]
    assert told == [
        ("user.remove", "sender", user, "nats", "forbidden"),
        ("mailing.pause", "operator", "m1", "nats", "mailing_unknown"),
        ("session.open", "operator", user, "nats", "sign_in_failed"),
        ("user.add", "operator", user, "nats", "ok"),
    ]
    assert rows[-1]["position"] == await desk.log.last_seq(subjects.principal(user))
    first = await desk.ask(commands.AuditTrail(limit=3))
    second = await desk.ask(commands.AuditTrail(limit=3, after=first["next"]))
    assert first["rows"] + second["rows"] == rows
    assert second["next"] == ""
    assert (await desk.ask(commands.AuditTrail(principal="sender")))["rows"] == rows[:1]
    assert (await desk.ask(commands.AuditTrail(command="user.add")))["rows"] == rows[3:]
    for after in ("x", "9" * 40, "\x00"):
        answer = await desk.client.query(commands.AuditTrail(after=after))
        assert answer.refusal is not None
        assert (answer.refusal.code, answer.refusal.field) == ("invalid", "after")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("odd", ["\\u0000", "x" * 5000, "ann@example.com\\u0000", "drop table; --"])
async def test_whatever_is_sent_the_audit_has_a_row(desk: Desk, odd: str) -> None:
    """What is no id does not get into it."""
    for name, field in (("session.open", "email"), ("user.remove", "user"), ("mailing.pause", "mailing")):
        body = f'{{"data": {{"{field}": "{odd}"}}}}'.encode()
        await desk.nc.request(subjects.command("operator", name), body, timeout=10)
    rows = (await desk.ask(commands.AuditTrail()))["rows"]
    assert [row["command"] for row in rows] == ["mailing.pause", "user.remove", "session.open"]
    assert {row["outcome"] for row in rows} == {"invalid"}
    assert odd not in repr(rows)


@pytest.mark.usefixtures("database")
async def test_where_a_command_came_from_is_in_the_audit_and_nowhere_else(desk: Desk, log_streams: NatsServer) -> None:
    """The address stands in SQL, not in the log; rows are forgotten after their days."""
    engine = create_engine(desk.settings, "planner")
    ring = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    ann = Principal("u1", "user", frozenset({"view"}))
    asked = Asked("mailing.pause", {"mailing": "m1"}, ann, via="http", remote="203.0.113.77")
    for _ in range(3):
        await audit.Audit(engine, ring).record(asked, Answer(ok=True, position=7))
    (row, *_) = (await desk.ask(commands.AuditTrail()))["rows"]
    assert (row["principal"], row["via"], row["remote"], row["position"]) == ("u1", "http", "203.0.113.77", 7)
    assert b"203.0.113.77" not in stored(log_streams)
    async with engine.begin() as conn:
        old = clock.now() - timedelta(days=11)
        await conn.execute(update(AUDIT).where(AUDIT.c.id < 3).values(at=int(old.timestamp() * 1000)))
    await audit.forget(engine, 10)
    assert len((await desk.ask(commands.AuditTrail()))["rows"]) == 1
    await engine.dispose()


@pytest.mark.parametrize("user", ["operator", "producer", "sender", "stranger"])
async def test_every_request_of_the_planner_asks_for_its_permission(desk: Desk, user: str) -> None:
    """By each NATS user: forbidden without the permission, and never forbidden with it."""
    principal = nats_principal(user)
    for endpoint in ENDPOINTS:
        if endpoint.service != "planner":
            continue
        is_command = issubclass(endpoint.request, Command)
        subject = (subjects.command if is_command else subjects.query)(user, endpoint.name)
        answer = Answer.model_validate_json((await desk.nc.request(subject, b"{}", timeout=10)).data)
        code = answer.refusal.code if answer.refusal else ""
        expected = endpoint.refusal(principal)
        if expected is not None:
            assert code == expected.code, endpoint.name
        else:
            assert code not in ("forbidden", "unauthenticated"), endpoint.name
