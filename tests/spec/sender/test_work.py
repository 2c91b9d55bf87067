"""The work on a chunk: why it rests, and that nothing of it goes on once it ended."""

import asyncio
import time
from base64 import b64encode
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from nats.aio.client import Client

from services.sender.chunks import chunk as chunks
from services.sender.chunks.case import Case
from services.sender.chunks.retry import BackOff
from services.sender.chunks.rows import Rows
from services.sender.gates.confirm import Confirmation
from services.sender.gates.gates import AccountGate, Gates
from services.sender.gates.suppression import Suppression
from services.sender.journal.journal import Journal
from services.sender.limits.domains import Domains, Share
from services.sender.limits.pacing import Pacing
from services.sender.limits.rules import Rules
from services.sender.shaping.shaper import Command, Shaper
from services.sender.smtp.connection import Connection
from services.sender.smtp.line import Line
from services.sender.smtp.window import Mail
from services.sender.work.flight import DOMAIN_FULL, SUSPENDED, Draining, Flight, Guard, Watch
from services.sender.work.means import Means
from services.sender.work.slowing import Turns
from services.sender.work.spans import Phases
from services.sender.work.work import Work
from shared.contracts.account import AccountAdded, ProviderLimits
from shared.contracts.content import encode_rows
from shared.contracts.envelope import Commit
from shared.contracts.sending import PAYLOAD_DIGEST_BYTES, ChunkPlanned
from shared.contracts.subjects import REST, ChunkRef
from shared.eventlog.server_clock import ServerClock
from shared.eventlog.store import EventLog
from shared.providers import BUILT_IN
from tests.spec.sender.composing import composer, content, row
from tests.spec.sender.test_pacing import Memory, Time

BUSY = "busy.example"
SOMEBODY_ELSE = 1


async def nothing(_subject: str) -> list[Commit]:
    """There is no log."""
    return []


async def nowhere(_subject: str) -> int:
    """Return the last sequence of no log."""
    return 0


async def at_once(_seq: int, _seconds: float) -> None:
    """Nothing is waited for."""


async def unscanned(_filters: list[str], _start: int, _stop: int) -> AsyncIterator[list[Commit]]:
    """There is no consent journal."""
    yield []


async def unsaid(_account: str, _command: Command) -> None:
    """Nobody hears of slow providers."""


async def faulty() -> Connection:
    """Fail by a fault of our own, not by the relay's."""
    await asyncio.sleep(0)
    raise LookupError("a fault of ours")


@pytest.fixture
def domains() -> Domains:
    """Return what is known of domains: nothing yet."""
    return Domains(Share, time.time)


@pytest.fixture
def work(tmp_path: Path, domains: Domains) -> Iterator[Work]:
    """Yield the work on a chunk of two mails to one domain, which may get five a second; the relay is never reached."""
    limits = {"domain": ProviderLimits(per_second=5)}
    settings = AccountAdded(
        name="r", host="relay.example", port=25, senders=["a@example.com"], connections=8, providers=limits
    )
    body, lines = encode_rows([row(address=f"a{i}@{BUSY}") for i in range(2)])
    digests = b"".join(sha256(line).digest()[:PAYLOAD_DIGEST_BYTES] for line in lines)
    plan = ChunkPlanned(
        mailing="m1",
        n=0,
        account="acc1",
        lane=REST,
        contacts=["c0", "c1"],
        digests=b64encode(digests).decode(),
        checked=0,
        content="",
        token_key="",
    )
    nc, account = Client(), AccountGate("acc1", settings)
    ref = ChunkRef("acc1", REST, "m1", 0)
    case = Case(EventLog(nc), ServerClock(nc), "w", ref, plan, "p", chunks.initial(2), Rows(body, digests))
    watch = Watch(case, Gates(nothing), None, account, Suppression(0, unscanned), Draining(), time.time)
    line = Line(faulty, lambda: Journal.open(tmp_path, "w", 0), lambda: settings)
    with ThreadPoolExecutor(1) as signing:
        means = Means(
            Confirmation(nowhere, at_once),
            Pacing(Memory(), Time()),
            BackOff(),
            Shaper((), unsaid),
            window=10,
            validity=60.0,
            rules=Rules(BUILT_IN),
            signing=signing,
            domains=lambda _account: domains,
        )
        yield Work(case, watch, line, composer(content()), means)
    line.journal.close()


@pytest.mark.feature("B4")
async def test_a_work_says_for_what_it_rests(work: Work) -> None:
    """Where a domain is full and a provider suspended it is the one that is over first."""
    soon, late = (datetime.fromtimestamp(int(time.time()) + ahead, UTC) for ahead in (100, 200))
    for due, reopens, why in ((soon, late, DOMAIN_FULL), (late, soon, SUSPENDED), (None, soon, SUSPENDED)):
        found = Turns(due=None if due is None else due.timestamp(), reopens=reopens)
        assert not await work._comes_soon(found)
        assert (work.rest.why, work.rest.at) == (why, soon)


@pytest.mark.feature("G2")
async def test_a_work_that_ends_by_a_fault_claims_nothing_afterwards(work: Work, domains: Domains) -> None:
    """While its mails are on the wire it waits with the next claim for a domain; then the wire fails by our fault."""
    limit = work.means.rules.paced(work.watch.account.settings).domain
    assert limit is not None
    while domains.claim(BUSY, limit, SOMEBODY_ELSE):
        assert domains.depart(BUSY, limit, SOMEBODY_ELSE)
    mails = [Mail(0, b"a@example.com", b"a0@busy.example", b"Subject: s\r\n\r\n.\r\n")]
    witness = work.line.journal.begin("m1", 0, 0, [0])
    flight = Flight([0], mails, Guard(work.watch, 0.0), witness, Phases())
    with pytest.raises(LookupError):
        await work._fly(flight)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    witness.end()
