"""The FastStream broker of a service: requests on core NATS with queue groups, so instances share the work.

It reconnects for ever; streams are never declared here (deploy/apply.py is their only writer); nothing is logged by the
library for each message.
"""

from collections.abc import Awaitable, Callable

from faststream.nats import NatsBroker
from faststream.security import SASLPlaintext

from shared.messaging.policy import ACK_POLICY, GRACE
from shared.settings import Settings


def create_broker(
    settings: Settings, service: str, *, on_closed: Callable[[], Awaitable[None]] | None = None
) -> NatsBroker:
    """Return the broker of `service`, not yet connected."""
    security = (
        SASLPlaintext(settings.nats_user, settings.nats_password, use_ssl=settings.nats_url.startswith("tls://"))
        if settings.nats_user
        else None
    )
    return NatsBroker(
        [part.strip() for part in settings.nats_url.split(",")],
        name=f"{service} requests",
        security=security,
        closed_cb=on_closed,
        max_reconnect_attempts=-1,
        reconnect_time_wait=1,
        connect_timeout=5,
        ping_interval=10,
        max_outstanding_pings=2,
        graceful_timeout=GRACE,
        ack_policy=ACK_POLICY,
        logger=None,
        apply_types=False,
    )
