"""Bodies of requests: bounded in size, and in the time until the next piece comes."""

import asyncio
from collections.abc import AsyncIterator

from starlette.requests import ClientDisconnect, Request


class BodyTooLargeError(Exception):
    """The body is larger than allowed."""


class BodyTooSlowError(Exception):
    """The next piece did not come in time, or the client went away."""


async def pieces(request: Request, most: int, seconds: float) -> AsyncIterator[bytes]:
    """Yield the pieces of a body as they come.

    Raises:
        BodyTooLargeError: There are more than `most` bytes, or more were announced.
        BodyTooSlowError: A piece took longer than `seconds`.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > most:
        raise BodyTooLargeError
    size, stream = 0, request.stream()
    while True:
        try:
            async with asyncio.timeout(seconds):
                piece = await anext(stream, None)
        except (TimeoutError, ClientDisconnect) as error:
            raise BodyTooSlowError from error
        if piece is None:
            return
        size += len(piece)
        if size > most:
            raise BodyTooLargeError
        if piece:
            yield piece


async def whole(request: Request, most: int, seconds: float) -> bytes:
    """Return a whole body; errors as above."""
    return b"".join([piece async for piece in pieces(request, most, seconds)])
