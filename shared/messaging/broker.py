"""The FastStream broker of a service: requests on core NATS with queue groups, so instances share the work.

It reconnects for ever; streams are never declared here (deploy/apply.py is their only writer). Handlers get the bytes
as they came, the library's guess at JSON is off. A handler that raises is logged; the requester gets no answer then,
so a handler that can say what is wrong says it (see answers.py).
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from faststream import BaseMiddleware, StreamMessage
from faststream.nats import NatsBroker
from faststream.nats.message import NatsMessage
from faststream.nats.security import NatsSecurity, NatsUserPassword

from shared.contracts import subjects
from shared.eventlog.connection import encryption
from shared.messaging.policy import ACK_POLICY, GRACE
from shared.settings import Settings

logger = logging.getLogger(__name__)


class _Logging(BaseMiddleware[Any, Any]):
    """Says what a handler did not foresee: without a logger the library would not."""

    async def consume_scope(self, call_next: Callable[[Any], Awaitable[Any]], msg: StreamMessage[Any]) -> Any:  # noqa: ANN401 - whatever the handler returns
        try:
            return await call_next(msg)
        except Exception:  # logged here; the library hands the message back or leaves the request unanswered
            logger.exception("a handler failed", extra={"handles": getattr(msg.raw_message, "subject", "")})
            raise


async def _bytes(message: NatsMessage) -> bytes:
    return bytes(message.body)


def create_broker(
    settings: Settings, service: str, *, on_closed: Callable[[], Awaitable[None]] | None = None
) -> NatsBroker:
    """Return the broker of `service`, not yet connected."""
    return NatsBroker(
        [part.strip() for part in settings.nats_url.split(",")],
        name=f"{service} requests",
        security=_security(settings),
        closed_cb=on_closed,
        inbox_prefix=subjects.inbox_prefix(settings.nats_user),
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        connect_timeout=5,
        ping_interval=10,
        max_outstanding_pings=2,
        graceful_timeout=GRACE,
        ack_policy=ACK_POLICY,
        logger=None,
        apply_types=False,
        serializer=None,  # else the library makes a model of every handler, which nobody asks
        decoder=_bytes,
        middlewares=[_Logging],
    )


def _security(settings: Settings) -> NatsSecurity | None:
    """Return as whom and how the broker connects, as `shared.eventlog.connection.connect` does."""
    context = encryption(settings.nats_url, settings.nats_ca_file)
    first = context is not None
    if settings.nats_user:
        return NatsUserPassword(
            settings.nats_user, settings.nats_password, ssl_context=context, tls_handshake_first=first
        )
    return NatsSecurity(ssl_context=context, tls_handshake_first=first) if first else None
