"""What must hold after every fault: the relay's log is the witness, the event log the claim.

Accepted in the log means at the relay; at the relay means accepted or in doubt; nobody got two mails, nor other bytes
than were claimed; every planned recipient stands in exactly one final state.
"""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from services.sender.chunks.chunk import Status
from services.sender.smtp import wire
from shared.contracts import ranges
from shared.contracts.envelope import Commit
from shared.contracts.sending import MAIL_DIGEST_BYTES, RecipientsClaimed
from shared.contracts.subjects import ChunkRef
from tests.harness import toll
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until


@dataclass(frozen=True)
class Claim:
    """What the log says of one address: where it stands, and the digests of the bytes that were claimed for it."""

    address: str
    status: Status
    digests: frozenset[bytes] = frozenset()


@dataclass(frozen=True)
class Account:
    """What came of some chunks: totals by outcome, and the addresses in doubt."""

    totals: Counter[str] = field(default_factory=Counter)
    in_doubt: list[str] = field(default_factory=list)


def digests_of(commits: Iterable[Commit]) -> dict[int, set[bytes]]:
    """Return the digests claimed in one chunk, by index."""
    found: dict[int, set[bytes]] = {}
    for event in (record.event for commit in commits for record in commit.events):
        if isinstance(event, RecipientsClaimed):
            digests = b64decode(event.digests)
            for place, index in enumerate(ranges.unpack(event.indexes)):
                digest = digests[place * MAIL_DIGEST_BYTES : (place + 1) * MAIL_DIGEST_BYTES]
                found.setdefault(index, set()).add(digest)
    return found


async def reached(relay: ScriptedSmtp, count: int) -> None:
    """Wait until the relay took so many mails."""
    await until(lambda: len(relay.accepted) >= count, 60)


async def account_for(sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]) -> Account:
    """Assert the invariants over finished chunks (addresses by index) and return the account."""
    claims: list[Claim] = []
    for ref, addresses in chunks.items():
        state = await sending.chunk(ref)
        assert state.settled, f"chunk {ref.n} has open recipients"
        assert state.finished is not None
        claimed = digests_of(await sending.chunk_commits(ref))
        claims += [
            Claim(address, Status(state.status[index]), frozenset(claimed.get(index, ())))
            for index, address in enumerate(addresses)
        ]
    return judged(claims, relay)


def judged(claims: Sequence[Claim], relay: ScriptedSmtp) -> Account:
    """Hold what the log claims of each address against what the relay saw, and return the account."""
    got = Counter(mail.recipient for mail in relay.accepted)
    toll.charge(((claim.address, claim.status) for claim in claims), got)
    account = Account()
    for claim in claims:
        address, status, mails = claim.address, claim.status, got[claim.address]
        account.totals[status.name.lower()] += 1
        assert mails <= 1, f"{address} got {mails} mails, the log says {status.name}"
        if status == Status.ACCEPTED:
            assert mails == 1, f"{address} is accepted in the log, the relay never had it"
        elif status == Status.IN_DOUBT:
            account.in_doubt.append(address)
        else:
            assert mails == 0, f"{address} is {status.name} in the log, the relay has it"
    _same_bytes(claims, relay)
    return account


def _same_bytes(claims: Iterable[Claim], relay: ScriptedSmtp) -> None:
    """Assert that each address was claimed with the same bytes every time, and got those."""
    claimed = {claim.address: claim.digests for claim in claims}
    for mail in relay.accepted:
        if digests := claimed.get(mail.recipient):
            sent = sha256(mail.content + wire.END.removeprefix(b"\r\n")).digest()[:MAIL_DIGEST_BYTES]
            assert digests == {sent}, f"{mail.recipient} got other bytes than were claimed"
