"""The connection to NATS as every service opens it.

It waits for the first server to come up and reconnects for ever, quickly at first and with jitter, so that a restarted
server is not stormed. What is published meanwhile is buffered up to 64 MiB and may arrive after its publisher gave up:
every publish of the event log is harmless when it comes late. `on_closed` is called when the client gave up for good
(credentials refused, closed by us): a service ends then and its supervisor starts it again.

With `tls://` nothing is said in clear, not even by the server: the handshake comes first, so nobody on the way can talk
the client out of it. The server must allow that (`handshake_first`, as deploy/nats_conf.py writes it). Where the first
handshake breaks, nats-py waits for ever in its own clean-up: `tried` begins anew.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import nats
from nats.aio.client import Client, Server
from nats.errors import Error as NatsError

from shared.contracts.subjects import inbox_prefix

logger = logging.getLogger(__name__)

_FIRST_WAIT = 0.1
_LONGEST_WAIT = 2.0
_BUFFER = 64 * 2**20
ATTEMPT = 10.0
"""Seconds after which an attempt to connect is dropped."""

T = TypeVar("T")

_jitter = random.SystemRandom()


def _choose(servers: list[Server], _info: dict[str, Any]) -> tuple[Server, float]:
    """Return the server to try next, one of those that failed least, and how long to wait before."""
    fewest = min(server.reconnects for server in servers)
    chosen = _jitter.choice([server for server in servers if server.reconnects == fewest])
    longest = min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** min(fewest, 10))
    return chosen, _jitter.uniform(longest / 2, longest)


def encryption(url: str, ca_file: Path | None) -> ssl.SSLContext | None:
    """Return by what the servers at `url` must prove who they are, None where the connection is in clear.

    With `ca_file` the authorities in it alone are believed, else those of the system.
    """
    if not url.strip().startswith("tls://"):
        return None
    context = ssl.create_default_context(cafile=ca_file)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


async def connect(
    url: str,
    *,
    user: str = "",
    password: str = "",
    ca_file: Path | None = None,
    name: str,
    on_closed: Callable[[], Awaitable[None]] | None = None,
) -> Client:
    """Return a connected client named `name`. `url` may hold several servers, comma separated.

    Raises:
        OSError: `ca_file` cannot be read.
    """

    async def on_error(error: Exception) -> None:
        # The client goes on by itself after each of these: it reconnects, or drops what it was not allowed to do.
        level = logging.WARNING if isinstance(error, (OSError, NatsError)) else logging.ERROR
        logger.log(level, "connection %s to NATS: %s", name, error or type(error).__name__)

    options: dict[str, Any] = {
        "closed_cb": on_closed,
        "connect_timeout": 5,
        "error_cb": on_error,
        "max_outstanding_pings": 2,
        "max_reconnect_attempts": -1,
        "name": name,
        "pending_size": _BUFFER,
        "ping_interval": 10,
        "reconnect_time_wait": _FIRST_WAIT,
        "reconnect_to_server_handler": _choose,
    }
    if user:
        options |= {"user": user, "password": password, "inbox_prefix": inbox_prefix(user)}
    if (context := encryption(url, ca_file)) is not None:
        options |= {"tls": context, "tls_handshake_first": True}
    servers = [part.strip() for part in url.split(",")]
    return await tried(lambda: nats.connect(servers, **options))


async def tried(attempt: Callable[[], Awaitable[T]]) -> T:
    """Return what an attempt to connect gives; one that takes longer than `ATTEMPT` is dropped and made anew."""
    while True:
        try:
            async with asyncio.timeout(ATTEMPT) as limit:
                return await attempt()
        except TimeoutError:
            if not limit.expired():
                raise
            logger.warning("no connection to NATS within %g s: trying anew", ATTEMPT)


async def close(client: Client) -> None:
    """Close `client`, also while it is disconnected; what is still buffered then is lost, as its publishers know."""
    try:
        await client.close()
    except (OSError, RuntimeError) as error:  # it wanted to flush into a broken transport: nothing left to do
        logger.info("closed while disconnected: %s", error)
