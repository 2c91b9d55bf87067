"""Asking any instance of a service something outside the log: raw bytes out, raw bytes back, or nobody there."""

import asyncio

from nats.aio.client import Client
from nats.errors import NoRespondersError

_PAUSE = 0.2
_PATIENCE = 2.0


async def ask(nc: Client, subject: str, body: bytes, *, seconds: float) -> bytes | None:
    """Return the answer; None if nobody listens, also shortly after, or nobody answered within `seconds`."""
    loop = asyncio.get_running_loop()
    give_up = loop.time() + _PATIENCE
    while True:
        try:
            return bytes((await nc.request(subject, body, timeout=seconds)).data)
        except NoRespondersError:  # it may be starting: try again for a moment
            if loop.time() > give_up:
                return None
            await asyncio.sleep(_PAUSE)
        except TimeoutError:  # the caller says so, and may be asked again
            return None
