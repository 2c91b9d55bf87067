"""A mail that somebody uploaded reaches the log by way of a tracker, and says what it was."""

from nats.aio.client import Client as Connection

from shared.contracts import subjects
from shared.contracts.commands import HandedIn, TakenIn
from shared.contracts.envelope import EventRecord
from shared.contracts.feedback import BounceReceived, ReplyReceived
from shared.eventlog.documents import Documents
from shared.ids import new_id
from shared.messaging.ask import ask
from tests.harness.returned import ENVELOPE_ID, proven
from tests.harness.tracker import TrackerProcess
from tests.integration.tracker.conftest import Written
from tests.spec.feedback.mails import block, dsn, header

GONE = block("ann@example.com", "failed", "5.1.1", "smtp; 550 5.1.1 User unknown")


async def _hand_in(nc: Connection, *parts: bytes) -> TakenIn:
    upload, inbox = new_id(), Documents(nc, subjects.INBOX)
    for number, part in enumerate(parts):
        await inbox.put_once(subjects.upload_part(upload, number), part)
    asked = HandedIn(upload=upload, parts=max(len(parts), 1))
    answer = await ask(nc, subjects.desk(), asked.model_dump_json().encode(), seconds=10)
    assert answer is not None
    return TakenIn.model_validate_json(answer)


async def _recorded(written: Written) -> list[EventRecord]:
    return [
        record
        async for commits in written.log.scan([subjects.ALL_FEEDBACK])
        for commit in commits
        for record in commit.events
    ]


async def test_an_uploaded_mail_is_taken(tracker: TrackerProcess, written: Written, nc: Connection) -> None:
    """In parts, twice, without its parts; what is no feedback is said to be none; a reply's words stand in PEOPLE."""
    assert tracker.pid
    mail = proven(dsn("sorry", GONE)).encode()
    first = await _hand_in(nc, mail[:700], mail[700:])
    assert (first.kind, first.proven, first.mailing, first.n, first.index) == ("bounce", "envelope-id", "m1", 0, 7)
    assert (first.facts, first.recipients[0].reason, first.recipients[0].permanent) == (1, "user-unknown", True)
    assert (await _hand_in(nc, mail)).facts == 1
    assert (await _hand_in(nc)).problem == "upload_missing"
    assert (await _hand_in(nc, header("a@example.com", "Hello").encode() + b"\nHow are you?\n")).facts == 0
    reply = header("Ann <ann@example.com>", "Re: News", f"In-Reply-To: <{ENVELOPE_ID}@shop.example>") + "\nCall me.\n"
    assert (await _hand_in(nc, reply.encode())).kind == "reply"
    bounce, answer = [record.event for record in await _recorded(written)]
    assert isinstance(bounce, BounceReceived)
    assert isinstance(answer, ReplyReceived)
    assert (
        await Documents(nc, subjects.PEOPLE).get(subjects.person_note(answer.note))
        == b'{"text":"Re: News\\n\\nCall me."}'
    )
