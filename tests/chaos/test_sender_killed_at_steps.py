"""A sender dies between any two effects of its work; the next one goes on from the log and its journals."""

import pytest

from shared.contracts.subjects import ChunkRef
from shared.steps import SENDER
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.toll import strike
from tests.harness.witness import account_for

LINES = 4
LATER = {"claim": 5, "dot": 60, "window": 5, "outcome": 5, "journal": 5}
"""The how manieth time of each kind of step it dies: with work of every kind behind it."""


@pytest.mark.drawn("sender", 2)
@pytest.mark.parametrize("step", SENDER)
async def test_nobody_is_lost_or_doubled(
    step: str, sending: Sending, relay: ScriptedSmtp, chunks: dict[ChunkRef, list[str]]
) -> None:
    """At most one mail a connection is in doubt, and every chunk comes to its end."""
    deferred = await sending.plan("m1", len(chunks), ["greylist-1@example.com", "greylist-2@example.com"])
    times = LATER.get(step.partition(".")[0], 1)
    sender = sending.start_sender(POSTHASTE_CRASH_AT=f"{step}:{times}")
    assert await sender.ended() == 137, f"it never came to {step}"
    strike()
    sending.start_sender()
    everybody = chunks | {deferred: ["greylist-1@example.com", "greylist-2@example.com"]}
    await sending.finished(*everybody, timeout=60)
    account = await account_for(sending, relay, everybody)
    assert len(account.in_doubt) <= LINES
    assert account.totals["accepted"] + account.totals["in_doubt"] == 802
