"""TLS to NATS and between its servers: all services work over it, and nothing is said in clear or to strangers."""

import asyncio
import os
import signal
import ssl
import urllib.request
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from nats.aio.client import Client as Connection

from deploy.apply import check
from deploy.certificates import make
from shared.contracts.commands import Accounts
from shared.eventlog import connection
from shared.eventlog.connection import connect
from shared.messaging.client import Client
from shared.settings import Settings
from tests.harness.certificates import certificate
from tests.harness.forks import spawn
from tests.harness.guarded_cluster import PASSWORDS, GuardedCluster
from tests.harness.installations import applied
from tests.harness.nats import free_port
from tests.harness.waiting import until

pytestmark = pytest.mark.cluster

SERVICES = ("planner", "sender", "tracker", "reporting")
KEYS = {"POSTHASTE_SECRET_KEYS": "k" * 32, "POSTHASTE_ADDRESS_PEPPER": "p" * 32}


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GuardedCluster]:
    """Yield a cluster with TLS and users."""
    cluster = GuardedCluster(tmp_path_factory.mktemp("guarded"))
    cluster.start()
    yield cluster
    cluster.stop()


@pytest.fixture
async def deployer(guarded: GuardedCluster) -> AsyncIterator[Connection]:
    """Yield a connection that may do everything, to a cluster with all streams."""
    nc = await as_user(guarded, "deploy")
    await applied(nc, replicas=3)
    yield nc
    await nc.close()


async def as_user(cluster: GuardedCluster, user: str, ca_file: Path | None = None) -> Connection:
    """Connect as one of the users."""
    async with asyncio.timeout(10):
        return await connect(
            cluster.url, user=user, password=PASSWORDS[user], ca_file=ca_file or cluster.ca_file, name=user
        )


def answers(url: str) -> bool:
    """Tell whether a GET is answered with 200."""
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:  # noqa: S310 - an address of our own
            return bool(reply.status == 200)
    except OSError:  # nobody listens yet, or it is not ready
        return False


async def test_a_cluster_with_tls_has_all_streams_on_three_servers(deployer: Connection) -> None:
    """The servers find each other over TLS, and what deploy/streams.py says stands on all of them."""
    assert await check(deployer, replicas=3) == []
    cipher = deployer._transport._io_writer.get_extra_info("cipher")  # type: ignore[union-attr]
    assert cipher is not None


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_runs_over_tls(
    guarded: GuardedCluster, deployer: Connection, tmp_path: Path, service: str
) -> None:
    """Event log and requests alike connect with the authority that the settings name."""
    assert deployer.is_connected
    ops, public = free_port(), free_port()
    environment = {
        "POSTHASTE_NATS_URL": guarded.url,
        "POSTHASTE_NATS_CA_FILE": str(guarded.ca_file),
        "POSTHASTE_NATS_USER": service,
        "POSTHASTE_NATS_PASSWORD": PASSWORDS[service],
        "POSTHASTE_DATA_DIR": str(tmp_path),
        "POSTHASTE_OPS_PORT": str(ops),
        "POSTHASTE_TRACKER_PORT": str(public),
        **KEYS,
    }
    process = await asyncio.to_thread(spawn, f"services.{service}.app", environment=os.environ | environment)
    try:

        async def is_ready() -> bool:
            assert process.poll() is None
            return await asyncio.to_thread(answers, f"http://127.0.0.1:{ops}/readyz")

        await until(is_ready, 60)
        if service == "planner":
            operator = await as_user(guarded, "operator")
            answer = await Client(operator, "operator").query(Accounts())
            assert answer.ok
            await operator.close()
    finally:
        process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(process.wait, 30)


async def test_a_server_of_another_authority_is_not_believed(guarded: GuardedCluster, tmp_path: Path) -> None:
    """Nothing is connected to who shows a certificate that our authority did not sign, however often it is tried."""
    other = certificate(tmp_path, "localhost")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await as_user(guarded, "planner", Path(other.ca_file))


async def test_a_handshake_that_breaks_holds_up_nobody(
    guarded: GuardedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that speaks before the client does, as to one that was busy for too long, is tried anew."""
    monkeypatch.setattr(connection, "ATTEMPT", 1.0)
    met = 0

    async def meet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal met
        met += 1
        if met == 1:
            writer.write(b'INFO {"tls_required": true}\r\n')
            await reader.read()
            writer.close()
            return
        there, back = await asyncio.open_connection("localhost", guarded.nodes[0].port)
        await asyncio.gather(passed_on(reader, back), passed_on(there, writer))

    port = free_port()
    async with await asyncio.start_server(meet, "localhost", port), asyncio.timeout(20):
        url, user = f"tls://localhost:{port}", "operator"
        nc = await connect(url, user=user, password=PASSWORDS[user], ca_file=guarded.ca_file, name=user)
        assert nc.is_connected
        await nc.close()
    assert met == 2


async def passed_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes until it ends."""
    while data := await reader.read(65_536):
        writer.write(data)
    writer.close()


async def test_a_password_never_leaves_in_clear() -> None:
    """Who sits on the way and claims that there is no TLS hears a handshake and nothing else."""
    heard = bytearray()
    first = asyncio.Event()

    async def pretend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.15.1","max_payload":1048576,"tls_required":false}\r\n')
        while data := await reader.read(4096):
            heard.extend(data)
            first.set()
        writer.close()

    server = await asyncio.start_server(pretend, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):
            await connect(f"tls://127.0.0.1:{port}", user="planner", password="hush-hush", name="test")
    server.close()
    assert first.is_set()
    assert heard[0] == 0x16  # a TLS handshake record
    assert b"hush-hush" not in heard


async def test_clients_that_speak_in_clear_are_refused(guarded: GuardedCluster) -> None:
    """A server that was not greeted by a handshake asks for it and ends what goes on in clear."""
    reader, writer = await asyncio.open_connection("localhost", guarded.nodes[0].port)
    info = await asyncio.wait_for(reader.readline(), 10)
    assert b'"tls_required":true' in info
    writer.write(b'CONNECT {"user":"planner","pass":"secret-planner-of-a-test","verbose":true}\r\nPING\r\n')
    answer = await asyncio.wait_for(reader.read(), 10)
    assert b"PONG" not in answer
    writer.close()


async def test_only_servers_of_our_authority_join_the_cluster(guarded: GuardedCluster) -> None:
    """Whoever connects to a cluster port without a certificate of our authority is cut off."""
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await join(guarded.cluster_ports[0], ssl.create_default_context(cafile=guarded.ca_file))


async def join(port: int, context: ssl.SSLContext) -> None:
    """Talk to a cluster port as a server would that has no certificate; it ends by what the other side does."""
    reader, writer = await asyncio.open_connection("localhost", port)
    await asyncio.wait_for(reader.readline(), 10)
    await writer.start_tls(context, server_hostname="localhost")
    writer.write(b"PING\r\n")
    await writer.drain()
    await asyncio.wait_for(reader.readexactly(1), 10)


def test_certificates_are_kept_while_they_are_good(tmp_path: Path) -> None:
    """Run again they stay; another name, or an end that is near, makes new ones; the key is its owner's alone."""
    servers, clients = tmp_path / "servers", tmp_path / "clients"
    assert make(servers, clients, ["nats-1"], days=365)
    first = (clients / "authority.pem").read_bytes()
    assert not make(servers, clients, ["nats-1"])
    assert (clients / "authority.pem").read_bytes() == first
    assert (servers / "server.key").stat().st_mode & 0o777 == 0o600
    assert not (clients / "server.key").exists()
    assert make(servers, clients, ["nats-1", "nats-2"], days=20)
    assert (clients / "authority.pem").read_bytes() == (servers / "authority.pem").read_bytes() != first
    assert make(servers, clients, ["nats-1", "nats-2"])
    context = ssl.create_default_context(cafile=clients / "authority.pem")
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(context.get_ca_certs()[0]["notAfter"])), UTC)
    assert ends > datetime.now(UTC) + timedelta(days=3000)


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"nats_url": "tls://a:4222,nats://b:4222"}, "mixes tls://"),
        ({"nats_url": "nats://a:4222", "nats_ca_file": __file__}, "does not say tls://"),
        ({"nats_url": "tls://a:4222", "nats_ca_file": "/no/such/file"}, "nats_ca_file"),
    ],
)
def test_half_encrypted_settings_are_refused(settings: dict[str, str], wrong: str) -> None:
    """A service does not start where a password could go out in clear by mistake."""
    with pytest.raises(ValueError, match=wrong):
        Settings.model_validate(settings)
