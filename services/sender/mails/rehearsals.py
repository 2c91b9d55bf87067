"""A chunk's mails made and not sent: what a dry run asks for, by the very code that makes those that are.

In come what shapes the mails and rows of a payload; out go a digest and a size for each mail, and for each that
cannot be made the cause with which it would be skipped. Unsigned, as a signature holds the time. Nothing is stored.
Rendering happens off the event loop, one request at a time: mails go out meanwhile. It takes half of the time that is
left to answer, and the planner asks for the rest; a request that nobody waits for any more is not begun.
"""

import asyncio
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Sequence

import orjson

from services.sender.mails.compose import ChunkComposer, RenderError
from services.sender.mails.contents import Contents
from shared import clock
from shared.contracts.commands import Rehearsal, Rehearsed
from shared.contracts.sending import MAIL_DIGEST_BYTES, ChunkPlanned
from shared.eventlog.errors import EventLogError, MissingError
from shared.tokens import UnknownKeyError

logger = logging.getLogger(__name__)

LATER = Rehearsed(problem="later")
_NONE = bytes(MAIL_DIGEST_BYTES)


class Rehearsals:
    """Makes the mails of chunks, for one sender process."""

    def __init__(self, contents: Contents, bounce_domain: Callable[[str], str]) -> None:
        """Take compiled templates, and what tells where mail of an account comes back."""
        self._contents = contents
        self._bounce_domain = bounce_domain
        self._turn = asyncio.Lock()

    async def rehearse(self, body: bytes) -> Rehearsed:
        """Return what came of the first mails, or why none was tried."""
        async with self._turn:
            return await self._rehearse(body)

    async def _rehearse(self, body: bytes) -> Rehearsed:
        try:
            wanted, rows = Rehearsal.unpacked(body)
            if _left(wanted) <= 0:  # asked again by now
                return LATER
            compiled = await self._contents.of(_plan(wanted))
        except (MissingError, UnknownKeyError, ValueError) as error:  # an operator would have to mend it
            return Rehearsed(problem=f"cannot be rendered: {error}")
        except (EventLogError, OSError, TimeoutError):  # the planner asks again
            return LATER
        composer = ChunkComposer(compiled, wanted.n, self._bounce_domain(wanted.account))
        try:
            return await asyncio.to_thread(made, composer, rows, wanted, _left(wanted) / 2)
        except Exception:  # one template must not keep others from being looked at
            logger.exception("a chunk could not be rehearsed", extra={"mailing": wanted.mailing, "n": wanted.n})
            return Rehearsed(problem="the sender failed; its log says why")


def _left(wanted: Rehearsal) -> float:
    """Return for how many seconds an answer is waited for yet."""
    return wanted.until - clock.now().timestamp()


def _plan(wanted: Rehearsal) -> ChunkPlanned:
    """Return as much of a plan as shapes the mails."""
    return ChunkPlanned(
        mailing=wanted.mailing,
        n=wanted.n,
        account=wanted.account,
        lane="",
        contacts=[],
        digests="",
        checked=0,
        content=wanted.content,
        tracking=wanted.tracking,
        token_key=wanted.token_key,
    )


def made(composer: ChunkComposer, rows: Sequence[bytes], wanted: Rehearsal, seconds: float) -> Rehearsed:
    """Return what comes of the first rows: as many as can be made in so many seconds, at least one."""
    ends = time.monotonic() + seconds
    digests: list[bytes] = []
    sizes: list[int] = []
    causes: dict[int, str] = {}
    for index, row in enumerate(rows, wanted.first):
        if sizes and time.monotonic() > ends:
            break
        try:
            mail = composer.render(orjson.loads(row), index, wanted.date)
        except RenderError as error:  # told with the others
            causes[index] = error.cause
            digests.append(_NONE)
            sizes.append(0)
            continue
        digests.append(mail.digest)
        sizes.append(len(mail.message))
    return Rehearsed(digests=b64encode(b"".join(digests)).decode(), sizes=sizes, causes=causes)
