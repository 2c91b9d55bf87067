"""The life of a service process: up, probed, told to stop, or ended by what fails in it."""

import asyncio
import json
import os
import signal
import sys
import time
import urllib.error
import urllib.request
from asyncio.subprocess import PIPE, Process

from nats.aio.client import Client as Connection

from shared.messaging.client import Client
from tests.harness.nats import NatsServer, free_port
from tests.harness.waiting import until
from tests.integration.messaging.example_service import Do


async def start(server: NatsServer, port: int, *arguments: str) -> Process:
    """Start the example service."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.messaging.example_service",
        *arguments,
        stdout=PIPE,
        stderr=PIPE,
        env=os.environ | {"POSTHASTE_NATS_URL": server.url, "POSTHASTE_OPS_PORT": str(port)},
    )


def probe(port: int, page: str) -> tuple[int, str]:
    """Ask the ops port; status 0 while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=2) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


async def ready(port: int) -> None:
    """Wait until the service is ready."""

    async def is_ready() -> bool:
        return (await asyncio.to_thread(probe, port, "readyz"))[0] == 200

    await until(is_ready, 15)


async def test_sigterm_ends_it_in_good_order(nats_server: NatsServer) -> None:
    """Work with a grace is finished, cleanup runs after it, the exit code is 0; who swallows a cancel gets another."""
    port = free_port()
    process = await start(nats_server, port)
    await ready(port)
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    out, err = await process.communicate()
    assert time.monotonic() - began < 5
    assert (process.returncode, out.decode().splitlines()) == (0, ["finished its work", "cleaned up"]), err.decode()


async def test_the_ops_port_tells_how_it_is(nats_server: NatsServer, nc: Connection) -> None:
    """Metrics count requests by name, the AsyncAPI document is there, and readiness follows the connection.

    What is there at the start is left alone by the collector, whom it would take a tenth of a second a time.
    """
    port = free_port()
    process = await start(nats_server, port)
    try:
        await ready(port)
        answer = await Client(nc, "operator").command(Do(what="nothing"))
        assert answer.data["left_to_the_collector"] < 20_000  # all that was there when it began would be 100,000
        _, numbers = await asyncio.to_thread(probe, port, "metrics")
        assert 'posthaste_requests_total{name="example.do",outcome="ok"} 1.0' in numbers
        _, document = await asyncio.to_thread(probe, port, "asyncapi.json")
        assert json.loads(document)["channels"]["mailing_pause"]["address"] == "cmd.{principal}.mailing.pause"
        assert (await asyncio.to_thread(probe, port, "healthz")) == (200, "ok\n")
        assert (await asyncio.to_thread(probe, port, "nothing"))[0] == 404
        await asyncio.to_thread(nats_server.stop)

        async def unready() -> bool:
            return (await asyncio.to_thread(probe, port, "readyz"))[0] == 503

        await until(unready, 10)
    finally:
        process.kill()
        await process.wait()


async def test_a_failed_task_ends_the_process(nats_server: NatsServer, nc: Connection) -> None:
    """A background task that dies is never missed: exit 1, after cleanup, and the log line holds no address."""
    port = free_port()
    process = await start(nats_server, port)
    await ready(port)
    await Client(nc, "operator").command(Do(what="fail"))
    out, err = await process.communicate()
    assert (process.returncode, out.decode().splitlines()) == (1, ["finished its work", "cleaned up"])
    assert b"told to fail by <address>" in err
    assert b"someone@example.com" not in err


async def test_a_service_that_cannot_start_says_why(nats_server: NatsServer) -> None:
    """An error in `start` is logged and ends the process with 1."""
    process = await start(nats_server, 0, "refuse")
    _, err = await process.communicate()
    assert process.returncode == 1
    assert b"cannot start" in err


async def test_a_service_that_waits_for_the_server_can_be_stopped() -> None:
    """Nobody listens where NATS should be: SIGTERM ends it all the same, with exit 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.messaging.example_service"),
        stderr=PIPE,
        env=os.environ | {"POSTHASTE_NATS_URL": f"nats://127.0.0.1:{free_port()}"},
    )
    assert process.stderr is not None
    said = await asyncio.wait_for(process.stderr.readline(), 30)
    assert b"NATS" in said
    process.terminate()
    assert await asyncio.wait_for(process.wait(), 30) == 0


async def test_a_service_that_does_not_get_ready_can_be_stopped(nats_server: NatsServer) -> None:
    """Its start waits for something that never comes: SIGTERM ends it in good order, with exit 0."""
    process = await start(nats_server, 0, "hang")
    assert process.stdout is not None
    assert await asyncio.wait_for(process.stdout.readline(), 30) == b"starting\n"
    process.terminate()
    out, err = await asyncio.wait_for(process.communicate(), 30)
    assert (process.returncode, out.decode().splitlines()) == (0, ["finished its work", "cleaned up"]), err.decode()
