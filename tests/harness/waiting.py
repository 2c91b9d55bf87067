"""Waiting on conditions with a deadline, instead of sleeping for a guessed time."""

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, overload

T = TypeVar("T")


@overload
async def until(predicate: Callable[[], Coroutine[Any, Any, T]], timeout: float = ..., *, every: float = ...) -> T: ...  # noqa: ASYNC109 - as below


@overload
async def until(predicate: Callable[[], T], timeout: float = ..., *, every: float = ...) -> T: ...  # noqa: ASYNC109 - as below


async def until(predicate: Callable[[], T | Awaitable[T]], timeout: float = 10.0, *, every: float = 0.01) -> T:  # noqa: ASYNC109 - the deadline is the point
    """Return the first true value of `predicate` (plain or async), asked anew every `every` seconds.

    An async one asks somebody, who is kept from working by it: more and more seldom, down to a fifth.

    Raises:
        AssertionError: It was not true within `timeout` seconds.
    """
    deadline = time.monotonic() + timeout
    pause = every
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
            pause = min(pause * 1.25, every * 5)
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout} s: {inspect.getsource(predicate).strip()}")
        await asyncio.sleep(pause)


def until_sync(predicate: Callable[[], T], timeout: float = 10.0, *, every: float = 0.005) -> T:
    """Do the same outside an event loop."""
    deadline = time.monotonic() + timeout
    while not (value := predicate()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not true within {timeout} s: {inspect.getsource(predicate).strip()}")
        time.sleep(every)
    return value
