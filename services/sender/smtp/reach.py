"""A TCP connection to whichever address of a relay answers first.

A relay's name may have several addresses, some of them dead. Each is tried in the resolver's order, the next one as
soon as one fails or keeps silent for `STAGGER` seconds (RFC 8305); the first that answers wins, the others are let go.
The name is resolved anew for every connection, so a relay that moves is found where it went.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

STAGGER: Final = 1.0

Address = tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]
Resolve = Callable[[str, int], Awaitable[list[Address]]]


async def resolved(host: str, port: int) -> list[Address]:
    """Return the addresses of `host` in the order of the system's resolver.

    Raises:
        OSError: Nobody knows it.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]  # type: ignore[misc]


async def reach(host: str, port: int, *, resolve: Resolve = resolved, stagger: float = STAGGER) -> socket.socket:
    """Return a connected socket, not blocking.

    Raises:
        OSError: No address answers; the error of the last one.
    """
    waiting = await resolve(host, port)
    running: set[asyncio.Task[socket.socket]] = set()
    failure = OSError(f"{host} has no address")
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(_connected(*waiting.pop(0))))
            done, running = await asyncio.wait(
                running, timeout=stagger if waiting else None, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                if (error := task.exception()) is None:
                    running |= done - {task}
                    return task.result()
                if isinstance(error, OSError):
                    failure = error  # the next address may be better
                else:
                    raise error
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_let_go)
    raise failure


async def _connected(
    family: socket.AddressFamily, address: tuple[str, int] | tuple[str, int, int, int]
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, address)
    except BaseException:  # not this one, or no longer wanted
        sock.close()
        raise
    return sock


def _let_go(task: asyncio.Task[socket.socket]) -> None:
    with suppress(OSError, asyncio.CancelledError):
        task.result().close()
