"""All mailboxes of the log: a reader for each while it is there, begun anew when it was edited.

It follows `evt.mailbox.*`. Every tracker has readers for all mailboxes, and they take turns. It lives as long as a
connection to the log does; with the next one another begins.
"""

import asyncio
import logging

from services.tracker.mailboxes import metrics
from services.tracker.mailboxes.reader import MailboxReader, Means, PasswordError
from services.tracker.mailboxes.turns import Wish
from shared.contracts import subjects
from shared.contracts.envelope import Commit, DomainEvent
from shared.contracts.mailbox import MailboxAdded, MailboxEdited, MailboxRemoved, MailboxSettings, MailboxTested
from shared.eventlog.follow import Follower
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from shared.keys import KeyRing, KeyRingError

log = logging.getLogger(__name__)

_CAUGHT_UP_S = 30.0
_RELEASE_S = 3.0


class Passwords:
    """The passwords of mailboxes in SECRETS."""

    def __init__(self, secrets: Bucket, keys: KeyRing) -> None:
        self._secrets = secrets
        self._keys = keys

    async def of(self, mailbox: str) -> str:
        """Return the password of a mailbox.

        Raises:
            PasswordError: There is none, or it opens with no key we have.
            UnavailableError: Nobody says what it is just now.
        """
        sealed = await self._secrets.glance(subjects.mailbox_password(mailbox))
        if sealed is None:
            raise PasswordError("There is no password of this mailbox: set it with `posthaste mailbox edit`.")
        try:
            return self._keys.unseal(sealed)
        except KeyRingError as error:
            raise PasswordError(f"The password cannot be used: {error}. Set it anew.") from error


class Watch:
    """The readers of one tracker."""

    def __init__(self, events: EventLog, means: Means) -> None:
        self._log = events
        self._means = means
        self._wishes: dict[str, Wish] = {}
        self._readers: dict[str, tuple[MailboxReader, asyncio.Task[None]]] = {}
        self._follower = Follower(events, [subjects.ALL_MAILBOXES], self._apply, name="tracker-mailboxes")
        self._ending: set[asyncio.Task[None]] = set()
        self._caught_up = False

    async def run(self) -> None:
        """Read all mailboxes until cancelled."""
        try:
            last = await self._log.last_seq(subjects.ALL_MAILBOXES)
            await self._follower.start()
            if last:
                await self._follower.wait_for(last, _CAUGHT_UP_S)
            self._caught_up = True
            for mailbox in self._wishes:
                self._begin(mailbox)
            await asyncio.Event().wait()
        finally:
            await self._follower.stop()
            for mailbox in list(self._readers):
                self._end(mailbox)
            if self._ending:  # they have a moment to say that their mailbox is free
                await asyncio.wait(self._ending, timeout=_RELEASE_S)

    def _apply(self, commit: Commit) -> None:
        mailbox = commit.subject.rpartition(".")[2]
        for record in commit.events:
            self._heard(mailbox, record.event, commit.seq)

    def _heard(self, mailbox: str, event: DomainEvent, seq: int) -> None:
        match event:
            case MailboxAdded() | MailboxEdited():
                settings = MailboxSettings.model_validate(event.model_dump(exclude={"password_changed"}))
                self._end(mailbox)
                self._wishes[mailbox] = Wish(settings, seq, at_once=self._caught_up)
                self._begin(mailbox)
            case MailboxTested(working=True) if mailbox in self._wishes:
                self._wishes[mailbox] = Wish(self._wishes[mailbox].settings, seq, at_once=self._caught_up)
                if mailbox in self._readers:
                    self._readers[mailbox][0].wish = self._wishes[mailbox]
                    self._readers[mailbox][0].wake()
            case MailboxRemoved():
                self._wishes.pop(mailbox, None)
                self._end(mailbox)
                metrics.gone(mailbox)
            case _:  # a test that failed changes nothing
                pass

    def _begin(self, mailbox: str) -> None:
        if self._caught_up:
            reader = MailboxReader(self._means, mailbox, self._wishes[mailbox])
            self._readers[mailbox] = (reader, asyncio.create_task(reader.run(), name=f"mailbox-{mailbox}"))

    def _end(self, mailbox: str) -> None:
        if (found := self._readers.pop(mailbox, None)) is not None:
            found[1].cancel()
            self._ending.add(found[1])
            found[1].add_done_callback(self._ending.discard)
