"""One real broker and one real sender for the whole fault table; each row has its own relay, account and mailing.

A `Trial` plans a chunk for a scripted relay and then asks the two witnesses: the relay's log for what arrived, the
event log for what the sender recorded. What holds of every row is checked by `Trial.balance`: nothing accepted that the
relay has not, nothing at the relay that the log does not know, the bytes those that were claimed.
"""

from base64 import b64decode
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from nats.aio.client import Client

from services.sender.chunks.chunk import Status
from services.sender.smtp import wire
from shared.contracts import ranges, subjects
from shared.contracts.account import AccountTested, TlsMode
from shared.contracts.content import Content
from shared.contracts.mailing_settings import DoubtPolicy
from shared.contracts.relay import AccountPaused
from shared.contracts.sending import MAIL_DIGEST_BYTES, Group, RecipientsClaimed, RecipientsSettled
from shared.contracts.subjects import ChunkRef
from tests.harness.certificates import Certificate
from tests.harness.sending import CONTENT, SenderProcess, Sending
from tests.harness.smtp import Options, Script, ScriptedSmtp
from tests.harness.waiting import until

PATIENCE = 0.004
"""Share of the time-outs of RFC 5321: 1.2 s for a reply to MAIL and RCPT, half a second to DATA, 2.4 s to the dot."""

WAIT = 60.0
PEOPLE = ("ann-0", "odd-1", "bob-2")

Told = tuple[str, int]


@dataclass
class Rig:
    """The broker and the sender that all rows share."""

    nc: Client
    url: str
    folder: Path
    certificate: Certificate
    sender: SenderProcess | None = None
    rows: int = 0

    async def start(self) -> None:
        """Start the sender and wait until it is up."""
        sending = Sending(self.nc, self.url, 0, self.folder)
        self.sender = sending.start_sender(
            POSTHASTE_RELAY_PATIENCE=str(PATIENCE), SSL_CERT_FILE=self.certificate.ca_file
        )
        log = self.sender.log
        await until(lambda: b" up " in log.read_bytes(), 120)

    def stop(self) -> None:
        """End the sender."""
        if self.sender is not None and self.sender.alive:
            self.sender.kill()

    @asynccontextmanager
    async def trial(
        self,
        script: Script | None = None,
        options: Options | None = None,
        *,
        tls: TlsMode = "none",
        username: str = "",
        content: Content = CONTENT,
        listening: bool = True,
    ) -> AsyncIterator["Trial"]:
        """Yield a trial with a relay of its own; at its end the witnesses must agree."""
        assert self.sender is not None
        assert self.sender.alive
        self.rows += 1
        server = ScriptedSmtp(script, options)
        await server.start()
        name = f"row{self.rows}"
        sending = Sending(self.nc, self.url, server.port, self.folder, account=name, connections=1, content=content)
        if not listening:
            await server.stop()
        trial = Trial(server, sending, name, self.sender)
        await sending.add_account(tls=tls, username=username, password="secret" if username else "")
        try:
            yield trial
            await trial.balance()
        finally:
            await server.stop()


@dataclass
class Trial:
    """One relay with its account and mailing."""

    server: ScriptedSmtp
    sending: Sending
    name: str
    sender: SenderProcess
    refs: list[ChunkRef] = field(default_factory=list)

    async def plan(
        self,
        *people: str,
        doubt: DoubtPolicy = "hold",
        expires_at: datetime | None = None,
        retry_for: int = 86_400,
        names: Mapping[int, str] | None = None,
    ) -> ChunkRef:
        """Plan one more chunk, for three people if none are named."""
        if not self.refs:
            await self.sending.start_mailing(self.name, doubt=doubt)
        ref = await self.sending.plan(
            self.name,
            len(self.refs),
            [f"{person}@example.com" for person in people or PEOPLE],
            doubt=doubt,
            expires_at=expires_at,
            retry_for=retry_for,
            names=names,
        )
        self.refs.append(ref)
        return ref

    async def finished(self) -> dict[str, int]:
        """Wait until everybody has a final outcome and return the totals."""
        return dict(await self.sending.finished(*self.refs, timeout=WAIT))

    async def groups(self, ref: ChunkRef) -> list[Group]:
        """Return everything that was settled of a chunk, in order."""
        commits = await self.sending.log.load(subjects.chunk(ref.mailing, ref.n))
        events = [record.event for commit in commits for record in commit.events]
        return [group for event in events if isinstance(event, RecipientsSettled) for group in event.groups]

    async def told(self, index: int, ref: ChunkRef | None = None) -> list[Told]:
        """Return outcome and code of each attempt on a recipient; what cost no attempt is left out."""
        groups = await self.groups(ref or self.refs[0])
        return [
            (group.outcome, group.code)
            for group in groups
            if index in ranges.unpack(group.indexes) and group.outcome != "released"
        ]

    async def scope(self, index: int) -> str:
        """Return who is to blame for what became of a recipient."""
        groups = await self.groups(self.refs[0])
        return [group.scope for group in groups if index in ranges.unpack(group.indexes)][-1]

    def arrived(self) -> dict[int, int]:
        """Return how many mails the relay took for each recipient of the first chunk."""
        found: dict[int, int] = defaultdict(int)
        for entry in self.server.accepted:
            mailing, n, index, _ = entry.message_id.strip("<>").partition("@")[0].split(".", 3)
            if (mailing, n) == (self.name, "0"):
                found[int(index)] += 1
        return dict(found)

    async def paused(self) -> str:
        """Wait until the account is paused and return the reason; nobody was charged."""

        async def reason() -> str:
            commits = await self.sending.log.load(subjects.relay(self.name))
            events = [record.event for commit in commits for record in commit.events]
            return next((event.reason for event in events if isinstance(event, AccountPaused)), "")

        why = await until(reason, WAIT, every=0.05)
        chunk = await self.sending.chunk(self.refs[0])
        assert set(chunk.tries) == {0}
        assert chunk.having(Status.PENDING, Status.CLAIMED) == list(range(chunk.size))
        assert not self.server.accepted
        return why

    async def heal(self) -> None:
        """Make the relay polite and have the account tested well."""
        self.server.script = None
        await self.sending.append(subjects.account(self.name), AccountTested(working=True, detail="ok"))
        for ref in self.refs:
            await self.sending.timers.fire(ref.due_retry)

    async def logged(self, text: str) -> None:
        """Wait until the sender says `text` of this account."""

        def said() -> bool:
            lines = self.sender.log.read_text().splitlines()
            return any(text in line and self.name in line for line in lines)

        await until(said, WAIT, every=0.05)

    async def balance(self) -> None:
        """Hold relay and log against each other: no silent mail, none made up, none but the bytes that were claimed."""
        claimed: dict[tuple[int, int], bytes] = {}
        taken: set[tuple[int, int]] = set()
        doubtful: set[tuple[int, int]] = set()
        for ref in self.refs:
            for commit in await self.sending.log.load(subjects.chunk(ref.mailing, ref.n)):
                for record in commit.events:
                    if isinstance(record.event, RecipientsClaimed):
                        _claimed(record.event, ref.n, claimed)
            for group in await self.groups(ref):
                if group.outcome in ("accepted", "in_doubt"):
                    to = taken if group.outcome == "accepted" else doubtful
                    to |= {(ref.n, index) for index in ranges.unpack(group.indexes)}
        at_relay: set[tuple[int, int]] = set()
        for entry in self.server.accepted:
            _, n, index, _ = entry.message_id.strip("<>").partition("@")[0].split(".", 3)
            place = (int(n), int(index))
            at_relay.add(place)
            assert sha256(wire.stuffed(entry.content)).digest()[:MAIL_DIGEST_BYTES] == claimed[place]
        assert taken <= at_relay
        assert at_relay <= taken | doubtful


def _claimed(event: RecipientsClaimed, n: int, claimed: dict[tuple[int, int], bytes]) -> None:
    digests = b64decode(event.digests)
    for place, index in enumerate(ranges.unpack(event.indexes)):
        digest = digests[place * MAIL_DIGEST_BYTES : (place + 1) * MAIL_DIGEST_BYTES]
        assert claimed.setdefault((n, index), digest) == digest, "another attempt, other bytes"
