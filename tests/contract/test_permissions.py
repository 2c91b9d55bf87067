"""NATS permissions: each service says only what is its own, and nobody but deploy touches a stream."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.errors import Error as NatsError

from deploy.apply import apply, check
from deploy.nats_conf import ServerConf, authorization, password_variable, render
from deploy.permissions import USERS
from shared.contracts import subjects
from shared.contracts.consumers import JOB_CONSUMER
from shared.contracts.envelope import Origin
from shared.contracts.principal import PrincipalAdded
from shared.credentials import tokens_of
from shared.eventlog.documents import Documents
from shared.eventlog.follow import Follower
from shared.eventlog.keys import Bucket
from shared.eventlog.objects import Objects
from shared.eventlog.pull import Pull, ensure_consumer
from shared.eventlog.server_clock import ServerClock
from shared.eventlog.store import EventLog
from shared.eventlog.timers import Timers
from shared.ids import new_id
from shared.keys import KeyRing
from shared.messaging.principals import Principals, Record
from tests.harness.nats import NatsServer
from tests.harness.waiting import until

ROOT = Path(__file__).parents[2]
SERVICES = ("planner", "sender", "tracker", "reporting")
PASSWORDS = {user: f"secret-{user}" for user in USERS}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """Yield a server with all users."""
    server = NatsServer(tmp_path_factory.mktemp("guarded"), config=authorization(PASSWORDS)).start()
    yield server
    server.kill()


@pytest.fixture(scope="module")
def guarded_bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """Yield another one, for subjects tried out."""
    server = NatsServer(tmp_path_factory.mktemp("bare"), config=authorization(PASSWORDS)).start()
    yield server
    server.kill()


class Users:
    """Connections of several users, with what the server refused them."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[Client] = []
        self.refused: list[str] = []

    async def connect(self, user: str) -> Client:
        """Return a connection of `user`."""

        async def on_error(error: Exception) -> None:
            self.refused.append(str(error).lower())

        prefix = subjects.inbox_prefix(user)
        nc = await nats.connect(self._url, user=user, password=PASSWORDS[user], error_cb=on_error, inbox_prefix=prefix)
        self._open.append(nc)
        return nc

    async def close(self) -> None:
        """Close them all."""
        for nc in self._open:
            await nc.close()

    async def may_publish(self, user: str, subject: str) -> bool:
        """Try it out, with something after it that is surely refused: refusals come in order."""
        nc = await self.connect(user)
        self.refused.clear()
        await nc.publish(subject, b"")
        await nc.publish("surely.refused", b"")
        await until(lambda: any("surely.refused" in refusal for refusal in self.refused))
        return not any(f'"{subject}"'.lower() in refusal for refusal in self.refused)


@pytest.fixture
async def bare(guarded_bare: NatsServer) -> AsyncIterator[Users]:
    """Yield connections to a server without streams."""
    found = Users(guarded_bare.url)
    yield found
    await found.close()


@pytest.fixture
async def users(guarded: NatsServer) -> AsyncIterator[Users]:
    """Yield connections; the streams are there."""
    found = Users(guarded.url)
    await apply(await found.connect("deploy"))
    yield found
    await found.close()


OWNERS = {
    "evt.campaign.c1": {"planner"},
    "evt.mailing.m1": {"planner"},
    "evt.plan.m1.a1.rest.0": {"planner"},
    "evt.account.a1": {"planner"},
    "evt.audience.3": {"planner"},
    "evt.log.incarnation": {"planner"},
    "$KV.WITNESS.planner": {"planner"},
    "trust.log": {"sender", "reporting"},
    "evt.chunk.m1.0": {"sender"},
    "evt.relay.a1": {"sender"},
    "evt.engagement.3": {"tracker"},
    "evt.feedback.3": {"tracker"},
    "desk.take": {"planner"},
    "evt.consent.3": {"planner", "tracker"},
    "payload.m1.0": {"planner"},
    "person.page.0": {"planner"},
    "person.note.k1": {"planner", "tracker"},
    "timer.start.m1": {"planner"},
    "timer.retry.a1.rest.m1.0": {"planner", "sender"},
    "evt.principal.p1": {"planner"},
    "in.upload.u1.0": {"planner", "tracker", "operator", "producer"},
    "in.contacts": {"tracker", "producer"},
    "in.activities": {"tracker", "producer"},
    "out.mailing.m1": {"reporting"},
    "$JS.API.CONSUMER.CREATE.OUT.crm.out.>": {"reporting", "producer"},
    "$JS.API.CONSUMER.CREATE.EVENTS.crm.evt.>": {*SERVICES, "operator"},
    "$JS.API.CONSUMER.MSG.NEXT.INBOX.planner-intake": {"planner"},
    "$KV.PACING.x": {"sender"},
    "$KV.SECRETS.x": {"planner"},
    "$KV.PRINCIPALS.x.1": {"planner"},
    "$O.AUDIENCE.C.x": {"planner"},
    "parked.sender.jobs": {"sender"},
    "job.a1.rest.m1.0": set(),
    "cmd.operator.mailing.pause": {"operator"},
    "cmd.producer.mailing.draft": {"producer"},
    "query.producer.mailing.list": {"producer"},
    "cmd.planner.mailing.pause": {"planner"},
    "$JS.API.STREAM.MSG.DELETE.PAYLOADS": {"planner"},
    "$JS.API.DIRECT.GET.PAYLOADS.payload.m1.0": {"planner", "sender", "tracker"},
    "$JS.API.DIRECT.GET.KV_SECRETS.x": {"planner", "sender"},
    "$JS.API.DIRECT.GET.KV_PRINCIPALS": {"planner", "reporting"},
    "$JS.API.STREAM.MSG.DELETE.KV_PRINCIPALS": {"planner"},
    "$JS.API.CONSUMER.MSG.NEXT.EVENTS.reporting-views": {"reporting"},
    "$JS.API.CONSUMER.CREATE.EVENTS.planner-facts": {"planner"},
    "$JS.ACK.TIMERS.planner-timers.1.2.3": {"planner"},
} | {
    f"$JS.API.{verb}.{stream}": set()
    for stream in ("EVENTS", "JOBS", "KV_PACING")
    for verb in ("STREAM.CREATE", "STREAM.UPDATE", "STREAM.DELETE", "STREAM.PURGE")
}


@pytest.mark.parametrize("subject", sorted(OWNERS))
async def test_only_the_owner_may_publish(bare: Users, subject: str) -> None:
    """For each kind of subject exactly its owners, and deploy, get it past the server."""
    everyone = (*SERVICES, "operator", "producer")
    allowed = {user for user in everyone if await bare.may_publish(user, subject)}
    assert allowed == OWNERS[subject]


async def test_a_service_cannot_rewrite_a_stream(users: Users) -> None:
    """After every service tried to change and delete streams they are as deploy made them."""
    for service in SERVICES:
        nc = await users.connect(service)
        for api in (
            "STREAM.DELETE.EVENTS",
            "STREAM.UPDATE.EVENTS",
            "STREAM.PURGE.EVENTS",
            "CONSUMER.DELETE.EVENTS.jobs",
        ):
            with pytest.raises((NatsError, TimeoutError)):
                await nc.request(f"$JS.API.{api}", b'{"name": "EVENTS", "subjects": ["evt.none"]}', timeout=0.1)
    assert await check(await users.connect("deploy")) == []


async def test_nobody_hears_what_others_are_answered(users: Users) -> None:
    """A producer may listen neither where the operator is answered nor everywhere."""
    nc = await users.connect("producer")
    for place in (subjects.inbox_prefix("operator") + ".>", "_INBOX.>", ">", subjects.ALL_EVENTS, subjects.ALL_OUT):
        users.refused.clear()
        await nc.subscribe(place)
        await until(lambda: users.refused)


async def test_a_producer_can_do_its_work(users: Users) -> None:
    """Tell of contacts, and follow the feed by a durable of its own, as nats-py makes it."""
    deploy = (await users.connect("deploy")).jetstream()
    await deploy.publish("out.mailing.m1", b"{}")
    nc = await users.connect("producer")
    js = nc.jetstream()
    assert (await js.publish(subjects.CONTACTS_IN, b"[]")).stream == subjects.INBOX
    for durable in ("crm", None):
        follower = await js.pull_subscribe("out.>", durable=durable, stream=subjects.OUT)
        (message,) = await follower.fetch(1, timeout=5)
        await message.ack_sync()
    assert users.refused == []


@pytest.mark.parametrize("service", SERVICES)
async def test_each_service_can_read_the_log(users: Users, service: str) -> None:
    """Bounds, last sequences, scans, followers and the server's clock work with every service's permissions."""
    nc = await users.connect(service)
    log = EventLog(nc)
    assert (await log.bounds()).last_seq >= 0
    assert await log.last_seq(subjects.ALL_CONSENT) == 0
    async for _ in log.scan([subjects.ALL_MAILINGS]):
        pass
    follower = Follower(log, [subjects.ALL_MAILINGS], lambda _commit: None)
    await follower.start(0)
    await follower.stop()
    clock = ServerClock(nc)
    await clock.sync()
    assert users.refused == []


async def test_the_planner_can_do_its_work(users: Users) -> None:
    """Documents, objects, secrets, timers and its durables work with the planner's permissions."""
    nc = await users.connect("planner")
    payloads = Documents(nc, subjects.PAYLOADS)
    await payloads.put_once(subjects.payload("m1", 0), b"personal")
    await payloads.erase(subjects.payload("m1", 0))
    objects = Objects(nc, subjects.AUDIENCE)
    await objects.put("hash", b"rows")
    assert await objects.get("hash") == b"rows"
    assert await Bucket(nc, subjects.SECRETS).put("a1", b"sealed") > 0
    records = Documents(nc, subjects.bucket(subjects.PRINCIPALS))
    await records.put_once(subjects.principal_record("p1", "r1"), b"name")
    await records.erase(subjects.principal_record("p1", "*"))
    timers = Timers(nc)
    await timers.arm("timer.start.m1", "due.start.m1", datetime.now(UTC) + timedelta(hours=1))
    await timers.disarm("timer.start.m1")
    await timers.fire("due.start.m1")
    pull = Pull(nc, subjects.TIMERS, subjects.PLANNER_TIMERS)
    (message,) = await pull.fetch(10, 5)
    await message.ack_sync()
    assert users.refused == []


@pytest.mark.parametrize("service", ["planner", "reporting"])
async def test_who_answers_requests_can_tell_who_asks(users: Users, service: str) -> None:
    """Tokens are looked up with the permissions of planner and reporting."""
    ring = KeyRing.of("s" * 32, "p" * 32)
    shown, token = tokens_of(ring, f"for{service}", "cause")[0]
    planner = await users.connect("planner")
    record = Record(name="n", verifier=token.verifier).model_dump_json().encode()
    await Documents(planner, subjects.bucket(subjects.PRINCIPALS)).put_once(
        subjects.principal_record(token.id, "r1"), record
    )
    added = PrincipalAdded(kind="token", permissions=["view"], record="r1")
    origin = Origin(new_id(), "planner", datetime.now(UTC))
    await EventLog(planner).append(subjects.principal(token.id), [added], expected=0, origin=origin)
    nc = await users.connect(service)
    principals = Principals(EventLog(nc), Documents(nc, subjects.bucket(subjects.PRINCIPALS)), ring)
    await principals.start()
    assert await principals.authenticate(shown) is not None
    await principals.stop()
    assert users.refused == []


async def test_the_sender_can_do_its_work(users: Users) -> None:
    """Pacing, retries and jobs work with the sender's permissions."""
    nc = await users.connect("sender")
    assert await Bucket(nc, subjects.PACING).swap("scope", b"1", 0)
    await Timers(nc).fire(subjects.ChunkRef("a1", subjects.REST, "m9", 0).due_retry)
    name = subjects.job_consumer("a1", subjects.REST)
    config = JOB_CONSUMER | {"durable_name": name, "filter_subject": subjects.jobs_of("a1", subjects.REST)}
    await ensure_consumer(nc, subjects.JOBS, config)
    (message,) = await Pull(nc, subjects.JOBS, name).fetch(10, 5)
    await message.ack_sync()
    assert users.refused == []


def test_the_configuration_holds_no_secret(tmp_path: Path) -> None:
    """Passwords are references to the environment."""
    text = render(ServerConf("n1", tmp_path))
    for user in USERS:
        assert f"${password_variable(user)}" in text


def test_every_append_is_on_disk_before_it_is_answered(tmp_path: Path) -> None:
    """By default nats-server syncs every two minutes: what it answered in between is gone with the power."""
    deployed = [ROOT / "deploy" / "nats" / "compose.conf", ROOT / "deploy" / "kubernetes" / "nats.conf"]
    for text in (render(ServerConf("n1", tmp_path)), *(file.read_text() for file in deployed)):
        assert re.search(r"^jetstream \{.*\bsync_interval: always\b.*\}$", text, re.MULTILINE)
