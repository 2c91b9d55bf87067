"""Webhooks: the `notify_url` of a mailing is told what its notices say, signed as Standard Webhooks has it.

By level, as notices: a row in the facts is owed until the URL answered with 2xx. What fails is tried again after longer
and longer pauses, under the same `webhook-id`, and given up after some days; it holds up nothing. Of several planners
the one tells a URL that claimed it. The name of the host is resolved here and the address that was looked at is the one
that is asked, so a name that changes in between leads nowhere else; addresses that are not public are refused unless a
setting allows them. Redirects are not followed.
"""

import asyncio
import logging
import socket
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from hmac import digest
from ipaddress import ip_address
from urllib.parse import urlsplit

import orjson
from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.facts import millis
from services.planner.notices.lookup import GIVEN_UP, Lookup, Owed
from services.planner.notices.notice_facts import NOTICES, is_stand
from services.planner.notices.text import Told, stands
from services.planner.schema import METADATA, insert
from services.planner.settings import PlannerSettings
from services.planner.sweeps import Sweeps
from shared import clock
from shared.contracts.commands import Refusal
from shared.contracts.envelope import Commit
from shared.contracts.mailing import MailingCompleted
from shared.database import in_turn, reading
from shared.instants import from_millis

logger = logging.getLogger(__name__)

CALLS = Table(
    "notice_calls",
    METADATA,
    Column("notice", String(24), primary_key=True),
    Column("tries", Integer, nullable=False),
    Column("next_at", BigInteger, nullable=False),
    Column("done", Boolean, nullable=False),
)
"""How telling a URL went; losing it tells the URLs of the last days once more, under the ids they know."""

_AT_ONCE = 10
_SECONDS = 10.0
_CLAIMED_MS = 60_000
"""Longer than looking up and telling takes: whoever died at it is followed by another then."""
_FIRST_PAUSE_MS = 5_000
_LONGEST_PAUSE_MS = 3_600_000


class UnreachableError(Exception):
    """The URL was not told."""


@dataclass(frozen=True, slots=True)
class Call:
    """A notice whose URL is to be told, and how often that was tried."""

    owed: Owed
    tries: int


def wrong_url(url: str, settings: PlannerSettings) -> Refusal | None:
    """Return why a URL cannot be told."""
    message = ""
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:  # refused: it is none
        parts, named = urlsplit(""), False
    if not settings.notify_secret:
        message = "webhooks are off: POSTHASTE_NOTIFY_SECRET is not set"
    elif not named or parts.username is not None or parts.fragment or not (url.isascii() and url.isprintable()):
        message = "write a URL like https://example.com/hook, without a password and without #"
    elif parts.scheme != "https" and not (parts.scheme == "http" and settings.notify_private):
        message = "the URL of a webhook begins with https://"
    return Refusal(code="notify_url_invalid", message=message, field="notify_url") if message else None


def signature(secret: str, name: str, timestamp: int, body: bytes) -> str:
    """Return the value of `webhook-signature`."""
    signed = f"{name}.{timestamp}.".encode() + body
    return "v1," + b64encode(digest(b64decode(secret.removeprefix("whsec_")), signed, sha256)).decode()


class NoticeHooks:
    """Tells URLs, until cancelled."""

    def __init__(self, engine: AsyncEngine, lookup: Lookup, settings: PlannerSettings) -> None:
        self._engine = engine
        self._reading = reading(engine)
        self._lookup = lookup
        self._settings = settings
        seconds = min(settings.sweep_seconds, _FIRST_PAUSE_MS / 1000)
        self._sweeps = Sweeps("webhooks", self._sweep, seconds)

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Look at once where a mailing came to a stand."""
        if any(is_stand(record.event) for commit in commits for record in commit.events):
            self._sweeps.wake()

    async def run(self) -> None:
        """Tell for ever."""
        await self._sweeps.run()

    async def _sweep(self) -> None:
        while claimed := await self._claim():
            await asyncio.gather(*map(self._call, claimed))

    async def _claim(self) -> list[Call]:
        """Return what is due, and is nobody else's until it can no more be on its way."""
        async with self._reading.connect() as conn:
            if not await _due(conn):
                return []
        async with self._engine.begin() as conn:
            await in_turn(conn, CALLS.name)
            calls = await _due(conn)
            for call in calls:
                await _note(conn, call, _CLAIMED_MS)
        return calls

    async def _call(self, call: Call) -> None:
        done = False
        try:
            called = await self._lookup.told(call.owed)
            if called is not None:
                await self._tell(called[0].notify_url, call.owed, called[1])
            done = True
        except UnreachableError as error:  # tried again later
            logger.warning("a webhook was not told: %s", error, extra={"mailing": call.owed.mailing})
        except Exception:  # whatever it was, the others are told; this one is tried again later
            logger.exception("a webhook failed", extra={"mailing": call.owed.mailing})
        async with self._engine.begin() as conn:
            await _note(conn, call, min(_FIRST_PAUSE_MS * 2 ** min(call.tries, 20), _LONGEST_PAUSE_MS), done=done)

    async def _tell(self, url: str, owed: Owed, told: Told) -> None:
        import httpx  # noqa: PLC0415 - slow to load, and only who has webhooks needs it

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
        address = await address_of(host, port, private=self._settings.notify_private)
        body, now = _body(owed, told), int(clock.now().timestamp())
        headers = {
            "host": parts.netloc,
            "content-type": "application/json",
            "webhook-id": owed.id,
            "webhook-timestamp": str(now),
            "webhook-signature": signature(self._settings.notify_secret, owed.id, now, body),
        }
        there = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        try:
            async with (
                asyncio.timeout(_SECONDS),
                httpx.AsyncClient(timeout=_SECONDS, follow_redirects=False, trust_env=False) as client,
                client.stream(
                    "POST",
                    parts._replace(netloc=there).geturl(),
                    content=body,
                    headers=headers,
                    extensions={"sni_hostname": host},
                ) as reply,
            ):
                status = reply.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:  # nobody there, or nobody who answers
            raise UnreachableError(type(error).__name__) from error
        if not 200 <= status < 300:
            raise UnreachableError(f"HTTP {status}")


async def _due(conn: AsyncConnection) -> list[Call]:
    n, c, now = NOTICES.c, CALLS.c, clock.now()
    query = select(n.id, n.mailing, n.seq, n.at, c.tries).outerjoin(CALLS, c.notice == n.id)
    query = query.where(n.hook.is_(True), n.at > millis(now - GIVEN_UP))
    query = query.where(or_(c.notice.is_(None), c.done.is_(False) & (c.next_at <= millis(now))))
    rows = await conn.execute(query.order_by(n.seq).limit(_AT_ONCE))
    return [Call(Owed(*row[:4]), int(row[4] or 0)) for row in rows]


async def _note(conn: AsyncConnection, call: Call, pause: int, *, done: bool = False) -> None:
    """Keep that a URL was tried once more, and when, in milliseconds from now, it is to be again."""
    row = {"notice": call.owed.id, "tries": call.tries + 1, "next_at": millis(clock.now()) + pause, "done": done}
    await conn.execute(insert(conn, CALLS).values(row).on_conflict_do_update(index_elements=["notice"], set_=row))


async def address_of(host: str, port: int, *, private: bool) -> str:
    """Return the address to ask for a host.

    Raises:
        UnreachableError: It has none, or one that is not public, which only `private` allows.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError) as error:  # no such name, today
        raise UnreachableError("its host has no address") from error
    addresses = [str(one[4][0]) for one in found]
    if not private and not all(_is_public(address) for address in addresses):
        raise UnreachableError("its host is not public (POSTHASTE_NOTIFY_PRIVATE)")
    return addresses[0]


def _is_public(address: str) -> bool:
    known = ip_address(address.partition("%")[0])
    mapped = getattr(known, "ipv4_mapped", None) or known
    return mapped.is_global and not mapped.is_multicast


def _body(owed: Owed, told: Told) -> bytes:
    status = stands(told.event)
    data = {
        "mailing": told.mailing,
        "name": told.name,
        "status": status,
        "reason": "" if isinstance(told.event, MailingCompleted) else told.event.reason,
        "totals": dict(told.totals),
        "errors": [{"reply": reply, "recipients": count} for reply, count in told.errors.items()],
    }
    at = from_millis(owed.at)
    return orjson.dumps({"type": f"mailing.{status}", "timestamp": at, "data": data})
