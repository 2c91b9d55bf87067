"""Asking any instance of a service something outside the log, and answering: raw bytes out, raw bytes back."""

import asyncio
from collections.abc import Awaitable, Callable

from nats.aio.client import Client
from nats.aio.msg import Msg
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


async def answer(nc: Client, subject: str, queue: str, reply: Callable[[bytes], Awaitable[bytes]]) -> None:
    """Answer what is asked on `subject`, several at a time, as one of those who share `queue`."""
    under_way: set[asyncio.Task[None]] = set()

    async def respond(message: Msg) -> None:
        await message.respond(await reply(message.data))

    async def begin(message: Msg) -> None:
        task = asyncio.create_task(respond(message))
        under_way.add(task)
        task.add_done_callback(under_way.discard)

    await nc.subscribe(subject, queue, cb=begin)
