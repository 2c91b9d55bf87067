"""Opens connections to relays: TCP, TLS, EHLO and AUTH by aiosmtplib, then our own protocol takes the transport over.

A relay's coordinates go in, a `Connection` comes out, or an error of errors.py that says whose fault it
is; no mail is touched. Certificates are always verified. Credentials go over verified TLS only, or to this machine.
What was heard before TLS is forgotten; AUTH is tried once, so a wrong password cannot lock the account out.
"""

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Final

import aiosmtplib

from services.sender.smtp import reach
from services.sender.smtp.connection import Connection
from services.sender.smtp.errors import AuthFailed, RelayBusy, RelayError, RelayRefused, RelayUnreachable, TlsFailed
from services.sender.smtp.habits import Habits
from services.sender.smtp.link import Capabilities, Timeouts
from shared.contracts.account import TlsMode

GREETING: Final = 300.0
"""RFC 5321 gives a relay five minutes to greet."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where and how to connect.

    Attributes:
        tls: `starttls`, `implicit`, or `none`.
        username: "" means no AUTH.
        local_hostname: What EHLO says; "" says the address of our end.
        ca_file: Further certificates to trust (PEM), for relays with a private authority.
    """

    host: str
    port: int
    tls: TlsMode = "starttls"
    username: str = ""
    password: str = field(default="", repr=False)
    local_hostname: str = ""
    ca_file: str = ""

    @property
    def name(self) -> str:
        """`host:port`, for records."""
        return f"{self.host}:{self.port}"


async def connect(
    target: Relay,
    *,
    timeout: float = GREETING,  # noqa: ASYNC109 - of each step, which a cancel scope cannot tell apart
    timeouts: Timeouts | None = None,
    habits: Habits | None = None,
) -> Connection:
    """Return a connection ready for mails.

    Args:
        target: Where to.
        timeout: Bounds each step of opening.
        timeouts: For the mails.
        habits: What is known of the relay; the connection keeps to it, and its end is told there.

    Raises:
        RelayUnreachable: No connection, no greeting, or lost on the way.
        RelayBusy: A temporary no.
        RelayRefused: A permanent no to greeting or EHLO.
        TlsFailed: No verified TLS.
        AuthFailed: The credentials are not taken, or must not be sent.
    """
    context = await asyncio.to_thread(tls_context, target.ca_file) if target.tls != "none" else None
    async with _errors("connecting", RelayUnreachable), asyncio.timeout(timeout):
        sock = await reach.reach(target.host, target.port)
    client = aiosmtplib.SMTP(
        hostname=target.host,
        sock=sock,
        timeout=timeout,
        local_hostname=target.local_hostname or "localhost",
        use_tls=target.tls == "implicit",
        start_tls=False,
        tls_context=context,
    )
    try:
        await _greet(client, target, context)
        async with _errors("AUTH", AuthFailed):
            await _authenticate(client, target)
        return _take_over(client, target, timeouts, habits)
    except BaseException:  # whatever it was, nothing stays open; the caller hears of it
        client.close()
        raise


@lru_cache(maxsize=64)
def tls_context(ca_file: str = "") -> ssl.SSLContext:
    """Return the one context that verifies by the system's authorities and those in `ca_file`."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_file:
        context.load_verify_locations(cafile=ca_file)
    return context


async def _greet(client: aiosmtplib.SMTP, target: Relay, context: ssl.SSLContext | None) -> None:
    async with _errors("greeting", RelayRefused):
        await client.connect()
    hostname = target.local_hostname or _literal(client)
    async with _errors("EHLO", RelayRefused):
        await _hello(client, hostname)
    if target.tls != "starttls":
        return
    if not client.supports_extension("starttls"):
        raise TlsFailed("the relay offers no STARTTLS")
    async with _errors("STARTTLS", TlsFailed):
        await client.starttls(tls_context=context)
    async with _errors("EHLO", RelayRefused):
        await _hello(client, hostname)


async def _hello(client: aiosmtplib.SMTP, hostname: str) -> None:
    try:
        await client.ehlo(hostname=hostname)
    except aiosmtplib.SMTPHeloError as error:
        if error.code < 500:
            raise
        await client.helo(hostname=hostname)  # an old relay: no extensions


async def _authenticate(client: aiosmtplib.SMTP, target: Relay) -> None:
    if not target.username:
        return
    if target.tls == "none" and not _is_this_machine(client):
        raise AuthFailed("credentials are not sent without TLS")
    offered = client.server_auth_methods
    if "plain" in offered:
        await client.auth_plain(target.username, target.password)
    elif "login" in offered:
        await client.auth_login(target.username, target.password)
    elif "cram-md5" in offered:
        await client.auth_crammd5(target.username, target.password)
    else:
        raise AuthFailed("the relay offers no way to authenticate that we know")


def _take_over(client: aiosmtplib.SMTP, target: Relay, timeouts: Timeouts | None, habits: Habits | None) -> Connection:
    transport = client.transport
    if transport is None or not client.is_connected:
        raise RelayUnreachable("closed by the relay while it was opened")
    offered = _capabilities(client, transport)
    if habits is not None and not habits.pipelining:
        offered = replace(offered, pipelining=False)
    connection = Connection(target.name, offered, timeouts)
    if habits is not None:
        connection.limit = habits.limit
        connection.on_lost = habits.ended
    transport.set_protocol(connection)
    client.protocol = client.transport = None
    connection.connection_made(transport)
    return connection


def _capabilities(client: aiosmtplib.SMTP, transport: asyncio.BaseTransport) -> Capabilities:
    offered = client.esmtp_extensions
    session = transport.get_extra_info("ssl_object")
    size = offered.get("size", "")
    return Capabilities(
        pipelining="pipelining" in offered,
        declares_size="size" in offered,
        size=int(size) if size.isascii() and size.isdigit() else 0,
        eight_bit="8bitmime" in offered,
        smtputf8="smtputf8" in offered,
        enhanced="enhancedstatuscodes" in offered,
        tls=(session.version() or "") if session is not None else "",
        extensions=tuple(offered),
    )


@asynccontextmanager
async def _errors(step: str, permanent: type[RelayError]) -> AsyncIterator[None]:
    """Turn what goes wrong in `step` into our errors; a 5xx, or what is no fault of the network, is `permanent`."""
    try:
        yield
    except RelayError:  # ours already
        raise
    except aiosmtplib.SMTPResponseException as error:
        kind = RelayBusy if 400 <= error.code < 500 else permanent
        raise kind(f"{step}: {_cut(error.message)}", max(0, error.code)) from error
    except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
        cause = error.__cause__ or error
        if isinstance(cause, ssl.SSLError):
            raise TlsFailed(f"{step}: {_cut(str(cause))}") from error
        if isinstance(error, OSError | TimeoutError):  # timeouts, resets and disconnects of aiosmtplib are these, too
            raise RelayUnreachable(f"{step}: {_cut(str(error) or type(error).__name__)}") from error
        raise permanent(f"{step}: {_cut(str(error))}") from error


def _literal(client: aiosmtplib.SMTP) -> str:
    address = _address(client, "sockname")
    if address is None:
        return "localhost"
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def _is_this_machine(client: aiosmtplib.SMTP) -> bool:
    address = _address(client, "peername")
    return address is not None and address.is_loopback


def _address(client: aiosmtplib.SMTP, end: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    name = client.get_transport_info(end)
    try:
        return ipaddress.ip_address(name[0].partition("%")[0])
    except (TypeError, IndexError, ValueError):  # no internet address: nothing we could name or trust
        return None


def _cut(text: str) -> str:
    return " ".join(text.split())[:300]
