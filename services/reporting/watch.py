"""Looks at the whole every few seconds and shows it in the metrics: streams, servers, mails in doubt.

Streams and consumers are asked over NATS, the servers on their monitoring ports for the disk JetStream has, the views
for recipients in doubt. What does not answer keeps its last numbers (a server: `up` 0) and is asked again.
"""

import asyncio
import logging
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import orjson
from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting import tables
from shared import metrics
from shared.contracts import subjects
from shared.database import reading
from shared.eventlog.errors import EventLogError
from shared.eventlog.vitals import Vitals

logger = logging.getLogger(__name__)

EVERY = 10.0
_PATIENCE = 3.0

STREAMS = (
    *(subjects.EVENTS, subjects.JOBS, subjects.TIMERS, subjects.PAYLOADS, subjects.PEOPLE, subjects.INBOX),
    *(subjects.OUT, subjects.PARKED, f"OBJ_{subjects.AUDIENCE}", f"OBJ_{subjects.CONTENT}"),
    *(f"KV_{subjects.PACING}", f"KV_{subjects.SECRETS}", f"KV_{subjects.WITNESS}"),
)
CONSUMERS = (
    (subjects.EVENTS, subjects.JOBS_SOURCE),
    (subjects.TIMERS, subjects.JOBS_SOURCE),
    (subjects.TIMERS, subjects.PLANNER_TIMERS),
    (subjects.INBOX, subjects.PLANNER_INTAKE),
)

_MESSAGES = metrics.gauge("posthaste_stream_messages_count", "Messages in a stream", ("stream",))
_BYTES = metrics.gauge("posthaste_stream_stored_bytes", "Bytes of a stream on disk, of one replica", ("stream",))
_LAST = metrics.gauge("posthaste_stream_last_seq", "Last sequence of a stream", ("stream",))
_BEHIND = metrics.gauge("posthaste_stream_replicas_behind_count", "Replicas away or not caught up", ("stream",))
_PENDING = metrics.gauge("posthaste_consumer_pending_count", "Messages still to be given", ("stream", "consumer"))
_UNACKED = metrics.gauge("posthaste_consumer_unacked_count", "Messages given, not acknowledged", ("stream", "consumer"))
_UP = metrics.gauge("posthaste_nats_server_up", "1 while the server answers on its monitoring port", ("server",))
_STORED = metrics.gauge("posthaste_nats_storage_bytes", "Bytes JetStream has on the disk of a server", ("server",))
_LIMIT = metrics.gauge("posthaste_nats_storage_limit_bytes", "Bytes JetStream may have there", ("server",))
_DOUBTS = metrics.gauge("posthaste_doubts_count", "Recipients in doubt that nobody has decided on")


class Watch:
    """One look after the other."""

    def __init__(self, vitals: Vitals, engine: AsyncEngine, monitoring: str) -> None:
        self._vitals = vitals
        self._reading = reading(engine)
        self._servers = [url.strip().rstrip("/") for url in monitoring.split(",") if url.strip()]

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self.look()
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Look once."""
        await asyncio.gather(self._streams(), self._doubts(), *(self._server(url) for url in self._servers))

    async def _streams(self) -> None:
        try:
            streams = await self._vitals.streams(STREAMS)
            consumers = await self._vitals.consumers(CONSUMERS)
        except EventLogError as error:  # the numbers stay as they are until the next look
            logger.warning("streams do not answer: %s", error)
            return
        for stream in streams:
            _MESSAGES.labels(stream.name).set(stream.messages)
            _BYTES.labels(stream.name).set(stream.bytes)
            _LAST.labels(stream.name).set(stream.last_seq)
            _BEHIND.labels(stream.name).set(stream.behind)
        for consumer in consumers:
            _PENDING.labels(consumer.stream, consumer.name).set(consumer.pending)
            _UNACKED.labels(consumer.stream, consumer.name).set(consumer.unacked)

    async def _server(self, url: str) -> None:
        name = urlsplit(url).hostname or url
        try:
            account = await asyncio.to_thread(_get, f"{url}/jsz?config=true")
        except (OSError, ValueError) as error:  # it is down or starting: asked again at the next look
            logger.warning("%s does not answer: %s", url, error)
            _UP.labels(name).set(0)
            return
        _UP.labels(name).set(1)
        _STORED.labels(name).set(account.get("storage", 0))
        _LIMIT.labels(name).set((account.get("config") or {}).get("max_storage", 0))

    async def _doubts(self) -> None:
        count = tables.mailings.c
        try:
            async with self._reading.connect() as conn:
                found = await conn.scalar(select(func.sum(count.in_doubt)).where(count.deleted == 0))
        except (SQLAlchemyError, OSError) as error:  # away: counted at the next look
            logger.warning("doubts not counted: %s", error)
            return
        _DOUBTS.set(found or 0)


def _get(url: str) -> dict[str, Any]:
    with urllib.request.urlopen(url, timeout=_PATIENCE) as answer:  # noqa: S310 - an address from the settings
        return dict(orjson.loads(answer.read()))
