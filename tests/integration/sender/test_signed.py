"""A thousand signed mails from ten templates: every one verifies, and every attempt at it had the same bytes."""

import os
from base64 import b64decode
from hashlib import sha256

import pytest

from shared.contracts import subjects
from shared.contracts.content import AttachedFile, Content
from shared.contracts.ranges import unpack
from shared.contracts.sending import MAIL_DIGEST_BYTES, RecipientsClaimed
from shared.contracts.subjects import ChunkRef
from shared.eventlog.objects import Objects
from shared.tokens import verify_bounce
from tests.harness.dkim import ED25519, RSA, records, selectors
from tests.harness.sending import Sending
from tests.harness.smtp import ScriptedSmtp
from tests.harness.waiting import until

TEMPLATES, RECIPIENTS = 10, 100
FILE = os.urandom(50_000)
FILE_HASH = sha256(FILE).hexdigest()
PUBLISHED = records({("example.com", "r1"): RSA, ("example.com", "e1"): ED25519})


def template(number: int) -> Content:
    """Return one of ten different contents: plain, HTML or both, short or long, ASCII or not."""
    long = "<p>.long  line</p>" * 40 * number
    html = f"<html><body><p>Hello {{{{ name }}}}, no. {number} für Sie</p>{long}</body></html>"
    file = AttachedFile(object=FILE_HASH, file_name="Überblick.pdf", media_type="application/pdf", size=len(FILE))
    text = f"Hello {{{{ name }}}}\n\n. {number}\n{'grüße ' * 60}\n"
    return Content(
        subject=f"No. {number} for {{{{ name }}}}"
        + " ✉ and much more than fits on one line of a header" * (number % 2),
        html=html if number % 3 else "",
        text=text if number % 3 != 1 else "",
        links=[],
        sender_name="Example" if number % 2 else "Müller, Söhne",
        sender_address="news@example.com",
        reply_to="answers@example.com" if number % 4 else "",
        list_name="News",
        list_id="news.example.com",
        headers={"X-Shop": "Grüße"} if number % 2 else {},
        attachments=[file] if number == TEMPLATES - 1 else [],
    )


def addresses(number: int) -> list[str]:
    """Return recipients of one template: some are deferred once, the acceptance of one is never heard of."""
    kinds = {7: "greylist", 23: "greylist", 61: "greylist", 42: "lost"}
    return [f"{kinds.get(place, 'p')}-{number}-{place}@example.org" for place in range(RECIPIENTS)]


async def _claimed(sending: Sending, ref: ChunkRef) -> dict[int, list[bytes]]:
    """Return the digests of every attempt by index."""
    found: dict[int, list[bytes]] = {}
    for commit in await sending.log.load(subjects.chunk(ref.mailing, ref.n)):
        for event in (record.event for record in commit.events):
            if isinstance(event, RecipientsClaimed):
                raw = b64decode(event.digests)
                for place, index in enumerate(unpack(event.indexes)):
                    digest = raw[place * MAIL_DIGEST_BYTES : (place + 1) * MAIL_DIGEST_BYTES]
                    found.setdefault(index, []).append(digest)
    return found


@pytest.mark.feature("B7", "B8")
async def test_every_mail_verifies_and_every_attempt_is_the_same(sending: Sending, relay: ScriptedSmtp) -> None:
    """What the relay took is what was rendered and claimed, whichever attempt it was; both signatures hold."""
    relay.options.extensions += ("DSN",)
    sending.account, sending.bounce_domain = "acc2", "bounces.example.com"
    await sending.add_account()
    await sending.add_key("r1", RSA)
    await sending.add_key("e1", ED25519)
    await Objects(sending.nc, subjects.CONTENT).put(FILE_HASH, FILE)
    refs = []
    for number in range(TEMPLATES):
        sending.content = template(number)
        await sending.start_mailing(f"m{number}", doubt="resend")
        plan = {"doubt": "resend", "selectors": ("r1", "e1")}
        refs.append(await sending.plan(f"m{number}", 0, addresses(number), **plan))  # type: ignore[arg-type]
    sending.start_sender()
    totals = await sending.finished(*refs, timeout=90)
    assert totals["accepted"] + totals["in_doubt"] == TEMPLATES * RECIPIENTS
    digests = {
        address: (ref, index) for number, ref in enumerate(refs) for index, address in enumerate(addresses(number))
    }
    claims = {ref: await _claimed(sending, ref) for ref in refs}
    attempts = [each for of in claims.values() for each in of.values()]
    assert sum(len(each) > 1 for each in attempts) >= 4 * TEMPLATES, "those deferred or in doubt were tried again"
    assert all(len(set(each)) == 1 for each in attempts), "the same bytes on every attempt"
    assert {mail.recipient for mail in relay.accepted} == set(digests)
    for mail in relay.accepted:
        ref, index = digests[mail.recipient]
        assert sha256(mail.content + b".\r\n").digest()[:MAIL_DIGEST_BYTES] == claims[ref][index][0]
        assert selectors(mail.content, PUBLISHED) == ["r1", "e1"]
        local, _, domain = mail.sender.partition("@")
        who = verify_bounce(sending.keys, local)
        assert domain == "bounces.example.com"
        assert who is not None
        assert (who.mailing, who.n, who.index) == (ref.mailing, ref.n, index)
        assert f"RET=HDRS ENVID={ref.mailing}.0.{index}." in mail.parameters[0]
        assert f"NOTIFY=FAILURE,DELAY ORCPT=rfc822;{mail.recipient}" in mail.parameters[1]


async def test_without_its_key_a_chunk_is_parked(sending: Sending, relay: ScriptedSmtp) -> None:
    """Nothing goes out unsigned that was planned to be signed."""
    await sending.start_mailing("m1")
    ref = await sending.plan("m1", 0, ["p@example.org"], selectors=["gone"])
    sending.start_sender()

    async def parked() -> str:
        return (await sending.chunk(ref)).parked

    assert "no key gone signs for example.com" in await until(parked, 30)
    assert not relay.accepted
