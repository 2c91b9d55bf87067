"""Chunks through a real sender, from the job to the relay and back to the log."""

from collections import Counter

import pytest

from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp


def people(count: int, prefix: str = "ann") -> list[str]:
    """Return addresses whose local part begins with `prefix`."""
    return [f"{prefix}-{i}@example.com" for i in range(count)]


def duplicates(relay: ScriptedSmtp) -> dict[str, int]:
    """Return the recipients that got more than one mail."""
    counted = Counter(mail.recipient for mail in relay.accepted)
    return {recipient: count for recipient, count in counted.items() if count > 1}


async def test_every_recipient_gets_one_mail(sending: Sending, relay: ScriptedSmtp) -> None:
    """Three chunks over four lines: all accepted, each once, at the relay as in the log."""
    await sending.start_mailing("m1")
    refs = [await sending.plan("m1", n, people(120, f"ann{n}")) for n in range(3)]
    sending.start_sender()
    assert await sending.finished(*refs) == {"accepted": 360}
    assert len(relay.accepted) == 360
    assert duplicates(relay) == {}


@pytest.mark.feature("B3", "P7")
async def test_a_rejected_recipient_is_final_and_a_greylisted_one_is_tried_again(
    sending: Sending, relay: ScriptedSmtp
) -> None:
    """5xx ends a recipient, 451 defers it by timer until the relay takes it."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, people(20) + people(3, "reject") + people(4, "greylist"))
    sending.start_sender()
    assert await sending.finished(ref) == {"accepted": 24, "rejected": 3}
    chunk = await sending.chunk(ref)
    assert chunk.passed
    assert duplicates(relay) == {}
