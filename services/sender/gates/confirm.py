"""Claim, then confirm: the local views must have seen whatever stood in the log when the claim was acked.

A follower lags: an opt-out or a pause can be in the log and not yet here. After its claim a worker asks the leader for
the last sequence of consent and of its mailing and waits until the follower is there (G4). One round serves
all connections of the process that asked before it began.
"""

import asyncio
from collections.abc import Awaitable, Callable

from shared.contracts import subjects

LastSeq = Callable[[str], Awaitable[int]]
WaitFor = Callable[[int, float], Awaitable[None]]


class Confirmation:
    """Coalesces the confirmations of all connections into rounds of leader reads."""

    def __init__(self, last_seq: LastSeq, wait_for: WaitFor, *, timeout: float = 5.0) -> None:
        """Take the leader read, the follower's wait and how many seconds a round may take."""
        self._last_seq = last_seq
        self._wait_for = wait_for
        self._timeout = timeout
        self._waiting: dict[str, list[asyncio.Future[None]]] = {}
        self._wake = asyncio.Event()

    async def confirmed(self, mailing_id: str) -> None:
        """Return when the local views hold all that stood in the log when this was called."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(mailing_id, []).append(future)
        self._wake.set()
        await future

    async def run(self) -> None:
        """Serve rounds for ever; a round that fails is told to those who wait in it, who release their claims."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, {}
            try:
                await asyncio.wait_for(self._round(list(waiting)), self._timeout)
            except Exception as error:  # noqa: BLE001 - handed on to the workers, who release and try again
                _finish(waiting, error)
            else:
                _finish(waiting, None)

    async def _round(self, mailings: list[str]) -> None:
        asked = (subjects.ALL_CONSENT, *(subjects.mailing(mailing_id) for mailing_id in mailings))
        positions = await asyncio.gather(*(self._last_seq(subject) for subject in asked))
        await self._wait_for(max(positions), self._timeout)


def _finish(waiting: dict[str, list[asyncio.Future[None]]], error: Exception | None) -> None:
    for futures in waiting.values():
        for future in futures:
            if future.done():
                continue
            if error is None:
                future.set_result(None)
            else:
                future.set_exception(error)
