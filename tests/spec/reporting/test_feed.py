"""What integrators are told: it fits the contract, names people by ids, and says nothing of how mails are sent."""

from datetime import UTC, datetime

import orjson
import pytest

from services.reporting import feed
from services.reporting.feed import ChunkKey, Known, Message
from shared.contracts import mailing as events
from shared.contracts import subjects
from shared.contracts.audience import ContactsImported, ContactsSynced
from shared.contracts.consent import AddressSuppressed
from shared.contracts.envelope import Commit
from shared.contracts.feed import FEED
from shared.contracts.feedback import BounceReceived, ComplaintReceived, ReplyReceived
from shared.contracts.sending import ChunkPlanned
from tests.harness.story import KEY, Story, contact, group, hit
from tests.integration.reporting.tales import tale


def told(story: Story, people: dict[str, tuple[str, str]] | None = None) -> list[Message]:
    """Return what is told of a story."""
    plans: dict[ChunkKey, ChunkPlanned] = {
        (record.event.mailing, record.event.n): record.event
        for commit in story.commits
        for record in commit.events
        if isinstance(record.event, ChunkPlanned)
    }
    known = Known(plans, people or {})
    return [message for commit in story.commits for record in commit.events for message in feed.messages(record, known)]


def last(story: Story, commit: Commit, people: dict[str, tuple[str, str]] | None = None) -> dict[str, object]:
    """Return the data of the one message that a commit gives."""
    alone = Story()
    alone.commits = [*story.commits]
    found = [message for message in told(alone, people) if message.id.startswith(commit.events[0].id)]
    (message,) = found
    data: dict[str, object] = orjson.loads(message.body)["data"]
    return data


@pytest.fixture
def story() -> Story:
    """Return a mailing of two that has started."""
    story = Story()
    story.started("m1", 2)
    story.planned("m1", 0, 2)
    return story


@pytest.mark.parametrize("seed", range(5))
def test_everything_told_fits_the_contract(seed: int) -> None:
    """Each message is a CloudEvent whose data its model reads without anything left over, under an id of its own.

    Consent acts and what came back are facts that the log may be told twice: they have one id then.
    """
    messages = told(tale(seed))
    again = (subjects.OUT_CONSENT, "out.returned.")
    ids = [message.id for message in messages if not message.subject.startswith(again)]
    assert len(set(ids)) == len(ids) > 10
    for message in messages:
        event = orjson.loads(message.body)
        assert {name: event[name] for name in ("specversion", "id", "source", "subject", "datacontenttype")} == {
            "specversion": "1.0",
            "id": message.id,
            "source": "posthaste",
            "subject": message.subject,
            "datacontenttype": "application/json",
        }
        datetime.fromisoformat(event["time"])
        model = FEED[event["type"]]
        read = model.model_validate(event["data"])
        assert model.model_validate(orjson.loads(read.model_dump_json(exclude_defaults=True))) == read
        unread = _names(event["data"]) - _names(read.model_dump())
        assert not unread - {"totals"}, unread


def _names(data: object) -> set[str]:
    if isinstance(data, list):
        return {name for each in data for name in _names(each)}
    if isinstance(data, dict):
        return set(data) | {name for key, each in data.items() if key != "totals" for name in _names(each)}
    return set()


def test_the_life_of_a_mailing_is_told() -> None:
    """In order, under its own subject; what only concerns the inside is not."""
    story = Story()
    story.started("m1", 2)
    story.mailing("m1", events.RateChanged(limits={"per_hour": 5}))
    story.mailing("m1", events.MailingPaused(reason="wait"), events.MailingResumed())
    story.mailing("m1", events.MailingCompleted(totals={"accepted": 2}))
    found = [orjson.loads(message.body)["data"] for message in told(story) if message.subject == "out.mailing.m1"]
    assert [each["change"] for each in found] == [
        "drafted",
        "audience_frozen",
        "started",
        "paused",
        "resumed",
        "completed",
    ]
    assert found[0]["campaign"] == "c1"
    assert found[3]["reason"] == "wait"
    assert found[-1]["totals"] == {"accepted": 2}


def test_recipients_are_named_by_contact_and_by_the_id_of_their_source(story: Story) -> None:
    """Who has no record has the contact id alone."""
    commit = story.settled("m1", 0, group("accepted", [0]), group("rejected", [1], text="no such user"))
    data = last(story, commit, {contact(0, 1): ("crm", "4711")})
    first, second = data["recipients"]  # type: ignore[misc]
    assert first["contact"] == contact(0, 0)
    assert "external" not in first
    assert (first["outcome"], first["code"]) == ("accepted", 250)
    assert (second["source"], second["external"], second["reply"]) == ("crm", "4711", "no such user")


def test_nothing_of_the_inside_is_told(story: Story) -> None:
    """Neither claims, releases and queue ids nor the events that caused a skip."""
    story.claimed("m1", 0, [0, 1])
    commit = story.settled("m1", 0, group("released", [0]), group("skipped", [1], cause="x1bcdfghjklm.0"), then=[0])
    (row,) = last(story, commit)["recipients"]  # type: ignore[misc]
    assert row == {"contact": contact(0, 1), "outcome": "skipped", "cause": "opted_out", "at": row["at"]}
    assert not [message for message in told(story) if b"Q0" in message.body or b"claim" in message.body]


def test_tests_are_not_told_of() -> None:
    """Their recipients are no business of others."""
    story = Story()
    story.started("m1", 2)
    before = len(told(story))
    story.mailing("m1", events.TestSent(test="t1", recipients=1))
    story.planned("t1", 0, 1, kind="test", lane="prompt")
    story.sent("t1", 0, [0])
    story.hit(hit("f1", "t1", 0, 0))
    assert len(told(story)) == before


def test_hits_are_told_by_mailing(story: Story) -> None:
    """One message a mailing, though they came together; the fact has its own id."""
    story.started("m2", 1)
    story.planned("m2", 0, 1)
    story.hit(hit("f1", "m1", 0, 0), hit("f2", "m2", 0, 0, link=3), hit("f3", "m1", 0, 1))
    found = {message.subject: orjson.loads(message.body)["data"] for message in told(story)}
    assert [each["id"] for each in found["out.engagement.m1"]["hits"]] == ["f1", "f3"]
    (click,) = found["out.engagement.m2"]["hits"]
    assert (click["kind"], click["link"], click["contact"]) == ("click", 3, contact(0, 0))


def test_anonymous_mailings_name_nobody_who_reads(story: Story) -> None:
    """Opens and clicks are told without a contact."""
    plan = next(r.event for c in story.commits for r in c.events if isinstance(r.event, ChunkPlanned))
    known = Known({("m1", 0): plan.model_copy(update={"tracking": "anonymous"})}, {contact(0, 0): ("crm", "1")})
    commit = story.hit(hit("f1", "m1", 0, 0))
    (message,) = feed.messages(commit.events[0], known)
    (row,) = orjson.loads(message.body)["data"]["hits"]
    assert set(row) <= {"id", "kind", "at", "agent"}


def test_consent_names_whom_a_mail_led_to_it(story: Story) -> None:
    """Never the hash of the address; where no mail led to it nobody is named."""
    by_mail = last(story, story.opted_out("m1", 0, 1), {contact(0, 1): ("crm", "4711")})
    assert (by_mail["act"], by_mail["scope"], by_mail["external"]) == ("opted_out", "l1", "4711")
    otherwise = last(
        story, story.tell(subjects.consent(15), AddressSuppressed(address_key=KEY, scope="*", reason="bounce"))
    )
    assert otherwise == {"act": "suppressed", "scope": "*"}
    assert KEY not in "".join(message.body.decode() for message in told(story))


def test_what_came_back_is_told_of_whose_mail_it_was(story: Story) -> None:
    """A bounce with its reason, answers without words; what nothing proves, and what a test mail got, are not told."""
    bounce = BounceReceived(
        source="imap:b",
        proven="return-path",
        mailing="m1",
        n=0,
        index=1,
        address_key=KEY,
        kind="bounce",
        reason="user-unknown",
        scope="address",
        permanent=True,
        status="5.1.1",
    )
    told_of = last(story, story.tell(subjects.feedback(0), bounce), {contact(0, 1): ("crm", "4711")})
    assert told_of == {
        "contact": contact(0, 1),
        "source": "crm",
        "external": "4711",
        "mailing": "m1",
        "what": "bounced",
        "reason": "user-unknown",
        "scope": "address",
        "permanent": True,
        "status": "5.1.1",
    }
    reply = ReplyReceived(source="lmtp", proven="message-id", mailing="m1", n=0, index=0, note="k")
    assert last(story, story.tell(subjects.feedback(0), reply)) == {
        "contact": contact(0, 0),
        "mailing": "m1",
        "what": "replied",
    }
    complaint = ComplaintReceived(
        source="ses", proven="provider", mailing="m1", n=0, index=0, feedback_type="not-spam", address_key=KEY
    )
    assert last(story, story.tell(subjects.feedback(0), complaint))["what"] == "not_spam"
    before = len(told(story))
    story.tell(subjects.feedback(0), bounce.model_copy(update={"proven": "", "mailing": "", "n": None, "index": None}))
    story.tell(subjects.feedback(0), complaint.model_copy(update={"feedback_type": "opt-out"}))
    story.planned("t1", 0, 1, kind="test", lane="prompt")
    story.tell(subjects.feedback(0), bounce.model_copy(update={"mailing": "t1", "index": 0}))
    assert len(told(story)) == before
    assert KEY not in "".join(message.body.decode() for message in told(story))


def test_contacts_are_told_in_counts(story: Story) -> None:
    """By import or by producer."""
    imported = ContactsImported(list="l1", upload="u1", added=2, updated=0, unchanged=1, rejected=3)
    data = last(story, story.tell(subjects.audience(0), imported))
    assert (data["by"], data["upload"], data["rejected"]) == ("import", "u1", 3)
    data = last(story, story.tell(subjects.audience(0), ContactsSynced(source="crm", added=2)))
    assert (data["by"], data["source"], data["added"]) == ("producer", "crm", 2)


def test_more_than_fit_into_a_message_are_told_in_several() -> None:
    """In order, each part with an id of its own."""
    story = Story()
    story.started("m1", 1)
    story.planned("m1", 0, 1)
    commit = story.hit(*(hit(f"f{at}", "m1", 0, 0) for at in range(feed.MOST + 1)))
    first, second = (message for message in told(story) if message.subject == "out.engagement.m1")
    assert (first.id, second.id) == (f"{commit.events[0].id}.m1", f"{commit.events[0].id}.m1-1")
    assert len(orjson.loads(second.body)["data"]["hits"]) == 1
    assert orjson.loads(first.body)["time"] == commit.events[0].time.astimezone(UTC).isoformat(
        timespec="milliseconds"
    ).replace("+00:00", "Z")
