"""Mailboxes as a planner would have written them, and what a tracker made of them."""

from nats.aio.client import Client

from shared.clock import now
from shared.contracts import subjects
from shared.contracts.envelope import DomainEvent, Origin
from shared.contracts.mailbox import MailboxAdded, Reading
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from shared.ids import new_id
from tests.harness.imap import PASSWORD, USER
from tests.harness.tracker import RING
from tests.harness.waiting import until


class Office:
    """The mailboxes of an installation, as a planner would have written them, and what came of them."""

    def __init__(self, nc: Client) -> None:
        self.nc = nc
        self.log = EventLog(nc)
        self.readings = Bucket(nc, subjects.MAILBOXES)
        self._added: dict[str, MailboxAdded] = {}

    async def say(self, mailbox: str, event: DomainEvent) -> None:
        """Append an event of a mailbox."""
        origin = Origin(command_id=new_id(), source="test", time=now())
        subject = subjects.mailbox(mailbox)
        await self.log.append(subject, [event], expected=await self.log.last_seq(subject), origin=origin)

    async def add(self, mailbox: str, port: int, password: str = PASSWORD, **more: object) -> MailboxAdded:
        """Add a mailbox with its password."""
        await Bucket(self.nc, subjects.SECRETS).put(subjects.mailbox_password(mailbox), RING.seal(password))
        wanted = {"name": mailbox, "host": "127.0.0.1", "port": port, "security": "none", "username": USER}
        added = MailboxAdded.model_validate(wanted | {"interval": 5, **more})
        await self.say(mailbox, added)
        self._added[mailbox] = added
        return added

    async def settings(self, mailbox: str) -> MailboxAdded:
        """Return how it was added."""
        return self._added[mailbox]

    async def reading(self, mailbox: str) -> Reading:
        """Return how reading it stands."""
        kept = await self.readings.get(mailbox)
        return Reading() if kept is None else Reading.model_validate_json(kept[0])

    async def took(self, mailbox: str, count: int) -> None:
        """Wait until so many mails were taken in and the mailbox waits."""

        async def done() -> bool:
            reading = await self.reading(mailbox)
            return reading.taken >= count and reading.state == "waiting"

        await until(done, 60)

    async def facts(self) -> list[tuple[str, DomainEvent]]:
        """Return id and event of all feedback in the log."""
        return [
            (record.id, record.event)
            async for commits in self.log.scan([subjects.ALL_FEEDBACK])
            for commit in commits
            for record in commit.events
        ]

    async def has(self, count: int) -> None:
        """Wait until so many facts are there, by their ids: what the spool holds comes a moment later."""

        async def there() -> bool:
            return len({fact for fact, _ in await self.facts()}) >= count

        await until(there, 40)
        assert len({fact for fact, _ in await self.facts()}) == count
