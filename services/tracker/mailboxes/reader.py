"""Reads one mailbox again and again: what is new in its folders, a page at a time, from where the last page ended.

Each mail of a page goes to the desk; once all are safe, in the log or in the spool, they are moved where a target
folder is set, and only then the place is kept. So a crash at any moment reads a page again and loses nothing, and what
is read again is the same fact. A mail that cannot be read is parked, the others go on. What fails is tried again after
a growing, jittered while; a refused login pauses the mailbox. While the broker is away nothing is read.
"""

import asyncio
import contextlib
import logging
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from services.tracker.mailboxes import metrics
from services.tracker.mailboxes.imap import FolderError, MailboxError, RefusedError, Session, UnreadableError
from services.tracker.mailboxes.turns import Bucket, OvertakenError, Turn, Turns, Wish
from services.tracker.recorder import NotKeptError
from shared import clock
from shared.contracts.mailbox import Place
from shared.eventlog.errors import EventLogError
from shared.steps import step

log = logging.getLogger(__name__)

PAGE = 32
"""Mails read at once; with `mail_bytes` this bounds the memory of a reader."""
_AT_A_TIME = 4
_MOST_TRIES = 5
_RELEASE_S = 2.0
_AWAY_S = 1.0
_LONGEST_WAIT = 900.0


class Desk(Protocol):
    """Takes a whole mail and returns once what it says is safe."""

    async def take(self, raw: bytes, source: str, *, sent: bool = False) -> object:
        """Raise `NotKeptError` if neither log nor spool took it."""


class PasswordError(Exception):
    """There is no password, or no key that opens it."""


@dataclass(frozen=True, slots=True)
class Means:
    """What all readers of a tracker work with.

    Attributes:
        password: Returns the password of a mailbox; `PasswordError` where there is none.
        away: Whether the broker is away.
        park: Puts a pointer to a mail (mailbox, UID) and the reason into PARKED.
        worker: Who we are.
        seconds: How long a server may take to answer.
        lease: How long a key of MAILBOXES stands still before its holder counts as gone.
        mail_bytes: How much of a mail is fetched.
        back_off: Seconds until the first retry.
    """

    desk: Desk
    bucket: Bucket
    password: Callable[[str], Awaitable[str]]
    away: Callable[[], bool]
    park: Callable[[str, int, str], Awaitable[object]]
    worker: str
    seconds: float = 30.0
    lease: float = 60.0
    mail_bytes: int = 256 * 1024
    back_off: float = 30.0


class AwayError(Exception):
    """The broker is away: what would be read now would fill the spool."""


class MailboxReader:
    """The reader of one mailbox in one tracker; `wish` may be replaced at any time, `wake` makes it look at once."""

    def __init__(self, means: Means, mailbox: str, wish: Wish) -> None:
        self.wish = wish
        self._means = means
        self._mailbox = mailbox
        self._turns = Turns(means.bucket, mailbox, means.worker, means.lease)
        self._woken = asyncio.Event()
        self._failures = 0
        self._tries: tuple[str, int, int] = ("", 0, 0)

    def wake(self) -> None:
        """Look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                wait = await self.look()
            except EventLogError as error:  # the broker went away: the mailbox waits for it
                log.warning("mailbox %s: %s", self._mailbox, error)
                wait = _AWAY_S
            except Exception:  # a fault of ours must not end the reading for good
                log.exception("mailbox %s", self._mailbox)
                wait = self._means.back_off
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), wait * random.uniform(1.0, 1.1))  # noqa: S311 - no secret
            self._woken.clear()

    async def look(self) -> float:
        """Read what is new if it is our turn; return after how many seconds to look again."""
        if self._means.away():
            return _AWAY_S
        wish = self.wish
        turn = await self._turns.take(wish, _now())
        if not isinstance(turn, Turn):
            return turn
        if self.wish is wish:
            self.wish = Wish(wish.settings, wish.seen)  # what was asked for is being done
        try:
            wrong = await self._read(turn, wish)
        except OvertakenError:  # another tracker reads it now
            return self._means.lease
        except AwayError:
            await self._release(turn, state="waiting", detail="")
            return _AWAY_S
        except RefusedError as error:
            return await self._pause(turn, wish, error)
        except (MailboxError, PasswordError, NotKeptError) as error:
            return await self._fail(turn, error)
        except BaseException:  # cancelled, or a fault: another tracker need not wait for the lease
            with contextlib.suppress(Exception):
                await asyncio.shield(asyncio.wait_for(self._release(turn, state="waiting"), _RELEASE_S))
            raise
        self._failures = 0
        state = "failing" if wrong else "waiting"
        await self._release(turn, state=state, detail=wrong, read_at=_now(), retry_at=_now() + wish.settings.interval)
        return float(wish.settings.interval)

    async def _release(self, turn: Turn, **changes: object) -> None:
        with contextlib.suppress(OvertakenError):  # then it is not ours to say anything
            await turn.keep(holder="", **changes)

    async def _pause(self, turn: Turn, wish: Wish, error: RefusedError) -> float:
        log.error("mailbox %s is paused: %s", self._mailbox, error)
        metrics.refused()
        await self._release(turn, state="paused", detail=str(error), seen=wish.seen)
        return float(wish.settings.interval)

    async def _fail(self, turn: Turn, error: Exception) -> float:
        wait = min(self._means.back_off * 2.0**self._failures, _LONGEST_WAIT) * random.uniform(0.75, 1.25)  # noqa: S311 - no secret
        self._failures = min(self._failures + 1, 10)
        log.warning("mailbox %s: %s Next try in %.0f s.", self._mailbox, error, wait)
        metrics.failed()
        await self._release(turn, state="failing", detail=str(error), retry_at=_now() + wait)
        return wait

    async def _read(self, turn: Turn, wish: Wish) -> str:
        """Read all folders; return what is wrong with single ones."""
        session = await self._opened(wish)
        wrong: list[str] = []
        try:
            for name in filter(None, (*wish.settings.folders, wish.settings.sent)):
                try:
                    wrong += await self._folder(session, turn, wish, name)
                except FolderError as error:  # the other folders are read all the same
                    log.warning("mailbox %s: %s", self._mailbox, error)
                    wrong.append(str(error))
        except BaseException:
            session.abort()
            raise
        await asyncio.to_thread(session.close)
        return " ".join(wrong)

    async def _opened(self, wish: Wish) -> Session:
        means = self._means
        password = await means.password(self._mailbox)
        try:
            return await asyncio.to_thread(Session.open, wish.settings, password, means.seconds)
        except RefusedError:  # a replica may have told us the password of a moment ago
            await asyncio.sleep(min(1.0, means.back_off))
            newer = await means.password(self._mailbox)
            if newer == password:
                raise
        return await asyncio.to_thread(Session.open, wish.settings, newer, means.seconds)

    async def _folder(self, session: Session, turn: Turn, wish: Wish, name: str) -> list[str]:
        target = "" if name == wish.settings.sent else wish.settings.target
        folder = await asyncio.to_thread(session.select, name, readonly=not target)
        place = turn.reading.places.get(name)
        if place is None or place.validity != folder.validity:  # new, or numbered anew: from the first day on again
            place = Place(validity=folder.validity)
        wrong: list[str] = []
        windows = session.after(place.uid, wish.settings.since)
        while (window := await asyncio.to_thread(next, windows, None)) is not None:
            uids, upto = window
            while uids:
                if self._means.away():
                    raise AwayError
                size = 1 if self._tries[:2] == (name, uids[0]) else PAGE
                page, uids = uids[:size], uids[size:]
                self._tries = (name, page[0], self._tries[2] + 1 if size == 1 else 1)
                taken, parked = await self._page(session, (name, folder.validity), page)
                if target and not wrong:
                    wrong += await self._moved(session, taken, target)
                self._tries = ("", 0, 0)
                await self._keep(turn, name, Place(validity=folder.validity, uid=page[-1]), len(taken), parked)
            if turn.reading.places.get(name) != Place(validity=folder.validity, uid=upto):
                await self._keep(turn, name, Place(validity=folder.validity, uid=upto), 0, 0)
        return wrong

    async def _keep(self, turn: Turn, name: str, place: Place, taken: int, parked: int) -> None:
        reading = turn.reading
        places = {**reading.places, name: place}
        step("mailbox.taken")
        await turn.keep(places=places, taken=reading.taken + taken, parked=reading.parked + parked)
        step("mailbox.kept")

    async def _page(self, session: Session, where: tuple[str, int], uids: Sequence[int]) -> tuple[list[int], int]:
        """Take the mails of a page; return those that are safe, and how many were parked."""
        if self._tries[2] > _MOST_TRIES:  # the connection breaks whenever this one is fetched
            return [], await self._parked(where, uids[0], "the server closes the connection when it is fetched")
        limit = self._means.mail_bytes
        try:
            mails = await asyncio.to_thread(session.fetch, uids, limit)
        except UnreadableError as error:
            if len(uids) == 1:
                return [], await self._parked(where, uids[0], str(error))
            found = [await self._page(session, where, [uid]) for uid in uids]
            return [uid for taken, _ in found for uid in taken], sum(parked for _, parked in found)
        turns = asyncio.Semaphore(_AT_A_TIME)
        takes = (self._take(turns, where, uid, raw) for uid, raw in sorted(mails.items()))
        results = await asyncio.gather(*takes, return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result
        return sorted(mails), sum(each for each in results if isinstance(each, int))

    async def _take(self, turns: asyncio.Semaphore, where: tuple[str, int], uid: int, raw: bytes) -> int:
        """Take one mail; return 1 if it had to be parked."""
        async with turns:
            try:
                await self._means.desk.take(raw, f"imap:{self._mailbox}", sent=where[0] == self.wish.settings.sent)
            except (NotKeptError, EventLogError, OSError):
                raise
            except Exception as error:
                log.exception("mailbox %s: a mail cannot be read", self._mailbox)
                return await self._parked(where, uid, f"{type(error).__name__}: {error}")
        metrics.taken()
        return 0

    async def _parked(self, where: tuple[str, int], uid: int, why: str) -> int:
        folder, validity = where
        await self._means.park(self._mailbox, uid, f"folder {folder!r}, UIDVALIDITY {validity}, UID {uid}: {why}")
        metrics.parked()
        return 1

    async def _moved(self, session: Session, uids: list[int], target: str) -> list[str]:
        try:
            if uids:
                await asyncio.to_thread(session.move, uids, target)
        except FolderError as error:  # what was read stays where it is: reading goes on
            log.warning("mailbox %s: %s", self._mailbox, error)
            return [str(error)]
        return []


def _now() -> float:
    return clock.now().timestamp()
