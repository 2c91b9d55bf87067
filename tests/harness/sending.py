"""A broker, a relay and senders, with the planner's part played by hand: chunks are planned as the test wants them.

`Sending` appends the events a planner would, starts real sender processes and reads what they wrote; the relay's log is
the witness of what went out.
"""

import asyncio
import os
import signal
import subprocess
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from nats.aio.client import Client

from services.sender.chunks import chunk as chunks
from shared.addresses import domain
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.account import AccountAdded, AccountLimits, AccountTested, Limits, TlsMode
from shared.contracts.content import Content, encode_rows
from shared.contracts.envelope import Commit, DomainEvent, Origin
from shared.contracts.mailing import MailingDrafted, MailingScheduled, SendingStarted
from shared.contracts.mailing_settings import DoubtPolicy
from shared.contracts.sending import PAYLOAD_DIGEST_BYTES, ChunkPlanned
from shared.contracts.subjects import ChunkRef
from shared.eventlog.documents import Documents
from shared.eventlog.keys import Bucket
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog
from shared.eventlog.timers import Timers
from shared.ids import new_id
from shared.keys import KeyRing
from tests.harness.forks import Forked, spawn
from tests.harness.toll import strike
from tests.harness.waiting import until

SECRET_KEYS = "tests-secret-key-of-at-least-32-characters"
ADDRESS_PEPPER = "tests-address-pepper-of-32-characters!!"
ACK_WAIT = 2.0

CONTENT = Content(
    subject="Hello {{ name | default('you') }}",
    html='<html><body><p>Hello {{ name }}</p><p><a href="https://shop.example.com/">Shop</a></p></body></html>',
    text="Hello {{ name }}\n\nhttps://shop.example.com/\n",
    links=["https://shop.example.com/"],
    sender_name="Example",
    sender_address="news@example.com",
    list_name="News",
    list_id="news.example.com",
)


@dataclass
class SenderProcess:
    """One running sender."""

    process: Forked | subprocess.Popen[bytes]
    log: Path

    def kill(self, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal it; SIGKILL is waited for."""
        strike()
        self.process.send_signal(number)
        if number == signal.SIGKILL:
            self.process.wait(30)

    async def ended(self) -> int:
        """Wait until it ended by itself (the relay lives in this process, so nothing may block) and return its code."""
        await until(lambda: not self.alive, 30)
        assert self.process.returncode is not None
        return self.process.returncode

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None


@dataclass
class Sending:
    """See the module."""

    nc: Client
    nats_url: str
    relay_port: int
    folder: Path
    account: str = "acc1"
    connections: int = 4
    bounce_domain: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    senders: list[SenderProcess] = field(default_factory=list)
    content: Content = CONTENT

    def __post_init__(self) -> None:
        """Open the log."""
        self.log = EventLog(self.nc)
        self.timers = Timers(self.nc)
        self.keys = KeyRing.of(SECRET_KEYS, ADDRESS_PEPPER)

    async def append(self, subject: str, *events: DomainEvent) -> int:
        """Append as the planner would, after whatever stands there."""
        expected = await self.log.last_seq(subject)
        return await self.log.append(subject, events, expected=expected, origin=Origin(new_id(), "planner", now()))

    async def add_account(
        self, limits: AccountLimits | None = None, *, tls: TlsMode = "none", username: str = "", password: str = ""
    ) -> None:
        """Add the relay as a tested account."""
        if username:
            await Bucket(self.nc, subjects.SECRETS).put(self.account, self.keys.seal(password))
        added = AccountAdded(
            name="relay",
            host="127.0.0.1",
            port=self.relay_port,
            tls=tls,
            username=username,
            senders=["news@example.com"],
            connections=self.connections,
            limits=limits or AccountLimits(),
            bounce_domain=self.bounce_domain,
        )
        await self.append(subjects.account(self.account), added, AccountTested(working=True, detail="ok"))

    async def add_key(self, selector: str, pem: str) -> None:
        """Let a key sign for the domain of `content`."""
        place = subjects.signing_key(domain(self.content.sender_address), selector)
        await Bucket(self.nc, subjects.SECRETS).put(place, self.keys.seal(pem))

    async def start_mailing(
        self,
        mailing: str,
        *,
        limits: Limits | None = None,
        doubt: DoubtPolicy = "hold",
        until_: datetime | None = None,
        scheduled: MailingScheduled | None = None,
    ) -> None:
        """Draft and start a mailing."""
        body = self.content.encoded()
        name = sha256(body).hexdigest()
        await Objects(self.nc, subjects.CONTENT).put(name, body)
        drafted = MailingDrafted(
            campaign="c1",
            name=mailing,
            account=self.account,
            content=name,
            subject="s",
            links=self.content.links,
            doubt=doubt,
            limits=limits or Limits(),
        )
        planned = [scheduled] if scheduled else []
        await self.append(subjects.mailing(mailing), drafted, *planned, SendingStarted(until=until_))

    async def plan(
        self,
        mailing: str,
        n: int,
        addresses: list[str],
        *,
        doubt: DoubtPolicy = "hold",
        payload: bool = True,
        expires_at: datetime | None = None,
        retry_for: int = 86_400,
        lane: str = subjects.REST,
        names: Mapping[int, str] | None = None,
        selectors: Sequence[str] = (),
        zone: str = "",
    ) -> ChunkRef:
        """Plan one chunk for `addresses`; `names` by index are other than usual."""
        rows = [
            {
                "contact": f"c{i}",
                "address": address,
                "name": (names or {}).get(i, f"Person {i}"),
                "address_key": self.keys.address_key(address),
                "lists": ["l1"],
                "fields": {"name": f"Person {i}"},
            }
            for i, address in enumerate(addresses)
        ]
        body, lines = encode_rows(rows)
        if payload:
            await Documents(self.nc, subjects.PAYLOADS).put_once(subjects.payload(mailing, n), body)
        digests = b"".join(sha256(line).digest()[:PAYLOAD_DIGEST_BYTES] for line in lines)
        ref = ChunkRef(self.account, lane, mailing, n)
        planned = ChunkPlanned(
            mailing=mailing,
            n=n,
            account=self.account,
            lane=lane,
            contacts=[str(row["contact"]) for row in rows],
            digests=b64encode(digests).decode(),
            checked=await self.log.last_seq(subjects.ALL_CONSENT),
            content=sha256(self.content.encoded()).hexdigest(),
            doubt=doubt,
            token_key=self.keys.active,
            expires_at=expires_at,
            zone=zone,
            retry_for=retry_for,
            selectors=list(selectors),
        )
        await self.append(subjects.plan(mailing, self.account, lane, n), planned)
        return ref

    def start_sender(self, **environment: str) -> SenderProcess:
        """Start one more sender on the same data folder."""
        number = len(self.senders)
        log = self.folder / f"sender-{number}.log"
        env = os.environ | {
            "POSTHASTE_NATS_URL": self.nats_url,
            "POSTHASTE_DATA_DIR": str(self.folder),
            "POSTHASTE_SECRET_KEYS": SECRET_KEYS,
            "POSTHASTE_ADDRESS_PEPPER": ADDRESS_PEPPER,
            "POSTHASTE_ACK_WAIT": str(ACK_WAIT),
            "POSTHASTE_TRUST_SECONDS": "0",  # there is no planner to ask
            "POSTHASTE_RETRY_FIRST": "0.3",
            "POSTHASTE_RETRY_LONGEST": "1",
            **self.environment,
            **environment,
        }
        with log.open("wb") as out:
            process = spawn("services.sender.app", environment=env, out=out, error=out)
        sender = SenderProcess(process, log)
        self.senders.append(sender)
        return sender

    async def chunk_commits(self, ref: ChunkRef) -> list[Commit]:
        """Return what stands in the log of a chunk."""
        return await self.log.load(subjects.chunk(ref.mailing, ref.n))

    async def chunk(self, ref: ChunkRef) -> chunks.Chunk:
        """Fold a chunk from the log."""
        planned = await self.log.load(subjects.plan(ref.mailing, ref.account, ref.lane, ref.n))
        plan = planned[0].events[0].event
        assert isinstance(plan, ChunkPlanned)
        state = chunks.initial(len(plan.contacts), plan.doubt)
        for commit in await self.chunk_commits(ref):
            for record in commit.events:
                chunks.evolve(state, record.event, seq=commit.seq, recorded_at=commit.recorded_at)
        return state

    async def finished(self, *refs: ChunkRef, timeout: float = 30.0) -> Counter[str]:  # noqa: ASYNC109 - a deadline
        """Wait until all chunks are finished and return the totals."""

        async def all_done() -> list[chunks.Chunk] | None:
            states = await asyncio.gather(*(self.chunk(ref) for ref in refs))
            return states if all(s.finished is not None and s.settled for s in states) else None

        states = await until(all_done, timeout, every=0.05)
        totals: Counter[str] = Counter()
        for state in states or ():
            totals.update(state.totals())
        return totals

    async def passed(self, *refs: ChunkRef) -> bool:
        """Tell whether every recipient of these chunks was tried once."""
        return all([(await self.chunk(ref)).passed for ref in refs])

    def stop(self) -> None:
        """End all senders."""
        for sender in self.senders:
            if sender.alive:
                sender.process.send_signal(signal.SIGCONT)
                sender.process.kill()
                sender.process.wait(10)
