"""Opt-outs and pauses come in while windows are claimed: the order of positions in the log decides."""

import asyncio
import random

import pytest

from services.sender.chunks.chunk import Status
from shared.clock import now
from shared.contracts import ranges, subjects
from shared.contracts.consent import OptedOut
from shared.contracts.envelope import Origin
from shared.contracts.mailing import MailingPaused, MailingResumed
from shared.contracts.sending import RecipientsClaimed
from shared.contracts.subjects import ChunkRef
from shared.ids import new_id
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until
from tests.harness.witness import account_for, reached


async def opt_out(sending: Sending, address: str) -> int:
    """Append one opt-out and return its position."""
    key = sending.keys.address_key(address)
    act = OptedOut(address_key=key, scope="l1", how="page")
    return await sending.log.append_journal(
        subjects.consent(subjects.partition(key)), [act], origin=Origin(new_id(), "tracker", now())
    )


async def claim_positions(sending: Sending, ref: ChunkRef) -> dict[int, int]:
    """Return the position of each recipient's last claim."""
    found: dict[int, int] = {}
    for commit in await sending.log.load(subjects.chunk(ref.mailing, ref.n)):
        for record in commit.events:
            if isinstance(record.event, RecipientsClaimed):
                found |= dict.fromkeys(ranges.unpack(record.event.indexes), commit.seq)
    return found


@pytest.mark.feature("B6")
async def test_an_opt_out_before_the_claim_is_never_violated(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """Five hundred opt-outs race the claims: whoever's stands before its claim in the log gets no mail."""
    sending.start_sender()
    sending.start_sender()
    await until(lambda: len(relay.accepted) >= 1, 30)
    everyone = [address for addresses in chunks.values() for address in addresses]
    chosen = random.Random(7).sample(everyone, 500)
    positions: dict[str, int] = {}

    async def opt_out_some(addresses: list[str]) -> None:
        for address in addresses:
            positions[address] = await opt_out(sending, address)

    await asyncio.gather(*(opt_out_some(chosen[k::4]) for k in range(4)))
    await sending.finished(*chunks, timeout=60)
    await account_for(sending, relay, chunks)
    got = {mail.recipient for mail in relay.accepted}
    skipped = 0
    for ref, addresses in chunks.items():
        state = await sending.chunk(ref)
        claims = await claim_positions(sending, ref)
        for index, address in enumerate(addresses):
            if address in positions and positions[address] < claims.get(index, 2**62):
                assert address not in got, f"{address} opted out at {positions[address]}, claimed at {claims}"
            if state.status[index] == Status.SKIPPED:
                skipped += 1
                assert address in positions
    assert skipped > 0


async def test_nothing_is_sent_under_a_claim_that_stands_after_a_pause(
    sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """Pause and resume again and again: mails come to a stop at each pause, all of them arrive in the end."""
    sending.start_sender()
    sending.start_sender()
    for count in (50, 200, 350):
        await reached(relay, count)
        paused = await sending.append(subjects.mailing("m1"), MailingPaused())
        await until(lambda: nobody_claimed(sending, chunks), 20)
        before = len(relay.accepted)
        for ref in chunks:
            await sending.timers.fire(ref.due_retry)
        await until(lambda: quiet(relay), 10)
        await until(lambda: nobody_claimed(sending, chunks), 20)
        assert len(relay.accepted) == before
        after = [await claim_positions(sending, ref) for ref in chunks]
        for ref, claims in zip(chunks, after, strict=True):
            state = await sending.chunk(ref)
            for index, position in claims.items():
                if position > paused:
                    assert state.status[index] == Status.PENDING
        await sending.append(subjects.mailing("m1"), MailingResumed())
        for ref in chunks:
            await sending.timers.fire(ref.due_retry)
    await sending.finished(*chunks, timeout=60)
    account = await account_for(sending, relay, chunks)
    assert account.totals == {"accepted": 800}


async def nobody_claimed(sending: Sending, chunks: dict[ChunkRef, list[str]]) -> bool:
    """Whether all that was claimed is settled."""
    states = [await sending.chunk(ref) for ref in chunks]
    return all(Status.CLAIMED not in state.status for state in states)


async def quiet(relay: ScriptedSmtp) -> bool:
    """Whether the relay heard nothing new for as long as forty mails take."""
    before = (len(relay.accepted), len(relay.mails))
    await asyncio.sleep(0.3)
    return (len(relay.accepted), len(relay.mails)) == before
