"""A single mail to one person, outside any campaign and past all that wait; by command line and HTTP, at the sink."""

from pathlib import Path

import pytest

from tests.harness.marketer import PATIENCE, Marketer, body_of, read
from tests.harness.smtp import Accepted, Act, Phase, ScriptedSmtp, Session
from tests.harness.waiting import until

pytestmark = pytest.mark.asyncio(loop_scope="package")

QUEUE = 60
"""So many wait in the mailing that single mails go past."""
SLOW = 0.5
"""Seconds that the relay takes for each of them until it is seen that they do."""


@pytest.mark.feature("F2")
async def test_one_mail_goes_to_one_person_and_to_the_removed_only_if_insisted(shop: Marketer, tmp_path: Path) -> None:
    """Nothing but an address is needed; whoever opted out is written to only where an operator insists."""
    (text := tmp_path / "text.txt").write_text("Dear {{ email }}, your parcel is under way.\n")
    one = ("mail", "send", "--account", "relay", "--from", "news@shop.example", "--text", str(text))
    ann = (*one, "--to", "Ann@Single.example")
    sent = {"account": shop.system.account, "sender_address": "news@shop.example", "to": "Ann@Single.example"}
    sent |= {"text": text.read_text()}
    mails = [
        (await shop.ran(*ann, "--subject", "Parcel"))["mail"],
        (await shop.done("POST", "/mails", sent | {"subject": "Parcel"}))["mail"],
    ]
    for mail in mails:
        await shop.becomes(mail, lambda status: status["sent"] == 1)
        (came,) = map(read, shop.arrived(mail))
        assert (came["To"], came["Subject"]) == ("Ann@Single.example", "Parcel")
        assert "Dear Ann@Single.example, your parcel" in body_of(came)
    await shop.ran("contacts", "opt-out", "ann@single.example")
    assert await shop.fails(*ann, "--subject", "Refused") == "recipient_removed"
    refused = sent | {"subject": "Refused"}
    assert await shop.denied("POST", "/mails", refused) == "recipient_removed"
    mails = [
        (await shop.ran(*ann, "--subject", "Insisted", "--although-removed"))["mail"],
        (await shop.done("POST", "/mails", sent | {"subject": "Insisted", "although_removed": True}))["mail"],
    ]
    for mail in mails:
        await shop.becomes(mail, lambda status: status["sent"] == 1)
    came_to = [read(mail) for mail in shop.system.relay.accepted if mail.recipient == "Ann@Single.example"]
    assert sorted(str(mail["Subject"]) for mail in came_to) == ["Insisted", "Insisted", "Parcel", "Parcel"]


@pytest.mark.feature("G3", "G12", "M5", "P8")
async def test_a_single_mail_and_a_test_go_past_a_mailing_that_takes_long(shop: Marketer, tmp_path: Path) -> None:
    """While most of it waits at the same relay; meanwhile each of its recipients moves from pending to sent."""
    table = "email,name\n" + "".join(f"q{place}@queue.example,Q {place}\n" for place in range(QUEUE))
    assert (await shop.brought_in(table.encode(), "Queue"))["added"] == QUEUE
    seconds = SLOW

    def takes(_session: Session, phase: Phase) -> Act | None:
        return Act(b"250 2.0.0 Ok\r\n", delay=seconds) if phase == "dot" else None

    async with ScriptedSmtp(takes) as slow:
        smtp = ("--host", "127.0.0.1", "--port", str(slow.port), "--tls", "none", "--sender", "slow@shop.example")
        account = (await shop.ran("account", "add", "--name", "slow", *smtp, "--connections", "2"))["account"]
        await shop.ran("account", "test", "slow")
        named = {"account": account, "sender_address": "slow@shop.example"}
        at_once = {"size": QUEUE}  # not the packets of this installation
        mailing = await shop.draft(await shop.campaign("Queue"), **named, batch=at_once)
        await shop.fixed(mailing)
        listed = (await shop.done("GET", f"/mailings/{mailing}/audience?limit={QUEUE}"))["rows"]
        assert len(listed) == QUEUE
        assert {row["skipped"] for row in listed} == {""}
        assert not slow.accepted

        async def stand() -> dict[str, str]:
            found = await shop.ran("mailing", "recipients", mailing, "--limit", str(QUEUE))
            return {row["address"]: row["status"] for row in found["rows"]}

        assert set((await stand()).values()) <= {"Pending"}
        await shop.ran("mailing", "schedule", mailing)
        status = await shop.becomes(mailing, lambda status: status["sent"] > 0)
        assert status["to_send"] == QUEUE - status["sent"]
        begun = await stand()
        assert set(begun.values()) == {"Sent", "Pending"}

        (text := tmp_path / "text.txt").write_text("It is urgent.\n")
        mail = ("mail", "send", "--account", "slow", "--from", "slow@shop.example", "--text", str(text))
        now = {"to": "bob@prompt.example", "subject": "Now", "text": "It is urgent."}
        prompt = [
            (await shop.ran(*mail, "--subject", "Now", "--to", "ann@prompt.example"))["mail"],
            (await shop.done("POST", "/mails", now | named))["mail"],
            (await shop.done("POST", f"/mailings/{mailing}/test", {"to": ["eve@prompt.example"]}))["test"],
        ]
        for each in prompt:
            await shop.becomes(each, lambda status: status["sent"] == 1)
        assert len(of(slow, mailing)) < QUEUE, "none of them waited for it"
        for each, to in zip(prompt, ("ann", "bob", "eve"), strict=True):
            assert [mail.recipient for mail in of(slow, each)] == [f"{to}@prompt.example"]

        async def moved() -> bool:
            now = await stand()
            return any(status == "Pending" and now[address] == "Sent" for address, status in begun.items())

        await until(moved, PATIENCE, every=0.2)
        seconds = 0
        status = await shop.becomes(mailing, lambda status: status["status"] == "Completed")
        assert (status["total"], status["to_send"], status["sent"]) == (QUEUE, 0, QUEUE)
        assert await stand() == {row["address"]: "Sent" for row in listed}
        assert sorted(mail.recipient for mail in of(slow, mailing)) == sorted(row["address"] for row in listed)


def of(relay: ScriptedSmtp, mailing: str) -> list[Accepted]:
    """Return what a relay took of a mailing."""
    return [mail for mail in relay.accepted if mail.message_id.startswith(f"<{mailing}.")]
