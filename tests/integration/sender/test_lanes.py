"""Every lane the planner uses is worked, also those nobody knew of when the sender started; in `rest`, by domain."""

import asyncio

import pytest

from shared.contracts import subjects
from shared.contracts.account import AccountEdited, ProviderLimits
from tests.harness.sending import Sending
from tests.harness.smtp import Act, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until


async def test_the_lane_of_a_large_provider_is_worked(sending: Sending, relay: ScriptedSmtp) -> None:
    """A lane that a mailing's audience brought about is opened when its first chunk is planned, before and after."""
    await sending.start_mailing("m1")
    before = await sending.plan("m1", 0, ["ann@gmail.example"], lane="gmail")
    sending.start_sender()
    assert await sending.finished(before, timeout=45) == {"accepted": 1}
    after = await sending.plan("m1", 1, ["bob@seznam.example"], lane="seznam")
    assert await sending.finished(after, timeout=45) == {"accepted": 1}
    assert len(relay.accepted) == 2


async def one_for_a_domain(sending: Sending, relay: ScriptedSmtp, *, connections: int) -> None:
    """Let the account have so many connections, each domain one of them."""
    account = {"name": "relay", "host": "127.0.0.1", "port": relay.port, "tls": "none", "senders": ["news@example.com"]}
    limits = {"domain": ProviderLimits(connections=1)}
    edited = AccountEdited.model_validate(account | {"connections": connections, "providers": limits})
    await sending.append(subjects.account(sending.account), edited)


@pytest.mark.feature("B4")
async def test_one_connection_at_a_time_carries_mail_for_a_domain(sending: Sending, relay: ScriptedSmtp) -> None:
    """Four chunks hold mail for it, four connections are at work: only one of them has any of it under way."""
    under_way: set[Session] = set()
    most = 0

    def script(session: Session, phase: Phase) -> Act | bytes | None:
        nonlocal most
        busy = session.recipient.endswith("@busy.example")
        if phase == "mail":  # what this one had before is not sent any more
            under_way.discard(session)
        if phase == "rcpt" and busy:
            under_way.intersection_update(relay.sessions)  # nor what a connection had that is closed
            under_way.add(session)
            most = max(most, len(under_way))
        elif phase == "dot" and busy:
            asyncio.get_running_loop().call_later(0.015, under_way.discard, session)  # before its answer
        return None

    relay.script, relay.slow = script, 0.02
    await one_for_a_domain(sending, relay, connections=4)
    await sending.start_mailing("m1")
    chunks = [[f"slow-{n}x{i}@{'busy' if i % 2 else f'd{n}x{i}'}.example" for i in range(40)] for n in range(4)]
    refs = [await sending.plan("m1", n, some) for n, some in enumerate(chunks)]
    sending.start_sender()
    assert await sending.finished(*refs, timeout=90) == {"accepted": 160}
    assert most == 1
    assert len({mail.recipient for mail in relay.accepted}) == 160


@pytest.mark.feature("B4")
async def test_who_waits_for_a_domain_gives_its_connection_to_others(sending: Sending, relay: ScriptedSmtp) -> None:
    """A connection hangs in a domain's tarpit; a chunk that waits for this domain does not keep the other one."""
    relay.slow = 600
    await one_for_a_domain(sending, relay, connections=3)  # of which one is kept for other lanes
    await sending.start_mailing("m1")
    refs = [await sending.plan("m1", n, [f"slow-{n}@busy.example"]) for n in range(2)]
    sending.start_sender()

    async def both_taken() -> bool:
        return all([await sending.chunk_commits(ref) for ref in refs])

    await until(both_taken, 60)
    other = await sending.plan("m1", 2, ["ann@other.example"])
    assert await sending.finished(other, timeout=60) == {"accepted": 1}
    assert sum(mail.recipient.endswith("@busy.example") for mail in relay.accepted) == 1
