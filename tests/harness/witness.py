"""What must hold after every fault: the relay's log is the witness, the event log the claim.

Accepted in the log means at the relay; at the relay means accepted or in doubt; nobody got two mails; every planned
recipient stands in exactly one final state.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from services.sender.chunk import Status
from shared.contracts.subjects import ChunkRef
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until


@dataclass(frozen=True)
class Account:
    """What came of some chunks: totals by outcome, and the addresses in doubt."""

    totals: Counter[str]
    in_doubt: list[str]


async def reached(relay: ScriptedSmtp, count: int) -> None:
    """Wait until the relay took so many mails."""
    await until(lambda: len(relay.accepted) >= count, 60)


async def account_for(sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]) -> Account:
    """Assert the invariants over finished chunks (addresses by index) and return the account."""
    claims: list[tuple[str, Status]] = []
    for ref, addresses in chunks.items():
        state = await sending.chunk(ref)
        assert state.settled, f"chunk {ref.n} has open recipients"
        assert state.finished is not None
        claims += [(address, Status(state.status[index])) for index, address in enumerate(addresses)]
    return judged(claims, relay)


def judged(claims: Iterable[tuple[str, Status]], relay: ScriptedSmtp) -> Account:
    """Hold what the log claims of each address against what the relay saw, and return the account."""
    got = Counter(mail.recipient for mail in relay.accepted)
    totals: Counter[str] = Counter()
    doubtful: list[str] = []
    for address, status in claims:
        totals[status.name.lower()] += 1
        assert got[address] <= 1, f"{address} got {got[address]} mails, the log says {status.name}"
        if status == Status.ACCEPTED:
            assert got[address] == 1, f"{address} is accepted in the log, the relay never had it"
        elif status == Status.IN_DOUBT:
            doubtful.append(address)
        else:
            assert got[address] == 0, f"{address} is {status.name} in the log, the relay has it"
    return Account(totals, doubtful)
