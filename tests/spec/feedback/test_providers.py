"""What providers say by webhook: their documented payloads, and whatever else may come."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.feedback.clues import verify
from services.tracker.feedback.providers import mailgun, postmark, said, sendgrid, ses
from services.tracker.feedback.reasons import REASONS
from services.tracker.feedback.report import Report
from shared.keys import KeyRing
from shared.tokens import BOUNCE_PREFIX, Signer
from tests.harness.webhooks import mailgun_failure, postmark_bounce, sendgrid_bounce, ses_bounce

RING = KeyRing.of("provider-tests-0123456789abcdefghijkl", "pepper-tests-0123456789abcdefghijkl")
SIGNER = Signer(RING)
WHO = b"m1.3.7"
OURS = f"<m1.3.7.{SIGNER.recipient_mac(WHO).decode()}@news.example.com>"
PATH = f"{BOUNCE_PREFIX}{SIGNER.kid}.m1.3.7.{SIGNER.bounce_mac(WHO).decode()}@bounces.example.com"

Reader = Callable[[Any], Iterable[Report]]


def wrapped(event: dict[str, Any]) -> dict[str, Any]:
    """Return a document of Mailgun's."""
    return {"signature": {}, "event-data": event}


EVERY: dict[str, tuple[Reader, Any]] = {
    "ses": (ses.reports, ses_bounce(OURS)),
    "sendgrid": (sendgrid.reports, [sendgrid_bounce(OURS)]),
    "mailgun": (mailgun.reports, wrapped(mailgun_failure(OURS.strip("<>")))),
    "postmark": (postmark.reports, postmark_bounce()),
}


@pytest.mark.parametrize("provider", EVERY)
def test_an_unknown_user_is_a_bounce_for_good(provider: str) -> None:
    """The documented example of each provider: whom, why, whose fault."""
    reader, document = EVERY[provider]
    (report,) = reader(document)
    (recipient,) = report.recipients
    assert (report.kind, report.standard, recipient.address) == ("bounce", True, "jane@example.com")
    assert (recipient.reason, recipient.status, recipient.reply_code) == ("user-unknown", "5.1.1", "550")
    assert recipient.permanent


@pytest.mark.parametrize("provider", ["ses", "sendgrid", "mailgun"])
def test_our_message_id_is_found_and_verifies(provider: str) -> None:
    """It names mailing, chunk and recipient."""
    reader, document = EVERY[provider]
    (report,) = reader(document)
    proof = verify(report.clues, RING)
    assert proof is not None
    assert (proof.token.mailing, proof.token.n, proof.token.index, proof.how) == ("m1", 3, 7, "message-id")


def test_our_return_path_is_found() -> None:
    """As the envelope sender that SES and Mailgun tell."""
    mail = {**ses_bounce()["mail"], "source": PATH}
    event = {**mailgun_failure(), "envelope": {"sender": PATH}}
    for report in (*ses.reports({**ses_bounce(), "mail": mail}), *mailgun.reports(wrapped(event))):
        proof = verify(report.clues, RING)
        assert proof is not None
        assert proof.how == "return-path"


def test_postmark_tells_our_message_id_in_the_content_of_the_bounce() -> None:
    """Where the webhook includes it."""
    content = f"Return-Path: <>\r\nSubject: Undeliverable\r\nTo: x@example.com\r\nReferences: {OURS}\r\n\r\nNo."
    (report,) = postmark.reports({**postmark_bounce(), "Content": content})
    proof = verify(report.clues, RING)
    assert proof is not None
    assert proof.token.index == 7


@pytest.mark.parametrize("provider", EVERY)
def test_the_same_event_has_the_same_digest_and_another_has_another(provider: str) -> None:
    """However often it comes; a bounce of another address is another."""
    reader, document = EVERY[provider]
    (first,), (again,) = reader(document), reader(document)
    assert first.clues.digest == again.clues.digest
    others = {
        "ses": {**document, "bounce": {**document["bounce"], "feedbackId": "another"}} if provider == "ses" else None,
        "sendgrid": [{**sendgrid_bounce(), "email": "joe@example.com"}],
        "mailgun": wrapped({**mailgun_failure(), "id": "another"}),
        "postmark": {**postmark_bounce(), "ID": 5},
    }
    (other,) = reader(others[provider])
    assert other.clues.digest != first.clues.digest


def test_an_event_of_sendgrid_that_is_sent_under_another_id_is_the_same() -> None:
    """Retries were seen to bear a new sg_event_id, and to come in another batch."""
    (first,) = sendgrid.reports([sendgrid_bounce()])
    _, again = sendgrid.reports(
        [{**sendgrid_bounce(), "email": "joe@example.com"}, {**sendgrid_bounce(), "sg_event_id": "x"}]
    )
    assert first.clues.digest == again.clues.digest


def _ses(event: str, **body: object) -> dict[str, Any]:
    return {"eventType": event, "mail": ses_bounce()["mail"], **body}


def _ses_bounced(kind: str, sub: str, words: str = "") -> dict[str, Any]:
    whom = [{"emailAddress": "jane@example.com", "diagnosticCode": words}]
    return _ses("Bounce", bounce={"bounceType": kind, "bounceSubType": sub, "bouncedRecipients": whom})


def _sendgrid(event: str, **fields: object) -> list[dict[str, Any]]:
    return [{"email": "jane@example.com", "timestamp": 1769525984, "sg_message_id": "a.b.c", "event": event, **fields}]


def _mailgun(event: str, code: int = 0, words: str = "", **fields: object) -> dict[str, Any]:
    told = {"code": code, "message": words} if code else {}
    return wrapped({"event": event, "id": "x", "recipient": "jane@example.com", "delivery-status": told, **fields})


def _postmark(record: str, **fields: object) -> dict[str, Any]:
    whom = "Email" if record in ("Bounce", "SpamComplaint") else "Recipient"
    return {"RecordType": record, "MessageID": "883953f4", whom: "jane@example.com", **fields}


FULL = "552 5.2.2 The mailbox is over its quota"
SPOKEN: list[tuple[Reader, Any, str, str, bool]] = [
    (
        ses.reports,
        _ses_bounced("Permanent", "OnAccountSuppressionList", "550 5.1.1 on it"),
        "bounce",
        "suppressed",
        False,
    ),
    (
        ses.reports,
        _ses_bounced("Permanent", "Suppressed", "smtp; 550 5.1.1 user unknown"),
        "bounce",
        "suppressed",
        False,
    ),
    (ses.reports, _ses_bounced("Permanent", "NoEmail"), "bounce", "user-unknown", True),
    (ses.reports, _ses_bounced("Transient", "NoEmail"), "bounce", "filtered", False),
    (ses.reports, _ses_bounced("Transient", "MailboxFull"), "bounce", "mailbox-full", False),
    (ses.reports, _ses_bounced("Transient", "General"), "bounce", "unknown", False),
    (ses.reports, _ses_bounced("Transient", "ContentRejected", FULL), "bounce", "mailbox-full", False),
    (ses.reports, _ses_bounced("Undetermined", "A Word Of Tomorrow"), "bounce", "unknown", False),
    (ses.reports, _ses("Reject", reject={"reason": "Bad content"}), "bounce", "virus", False),
    (sendgrid.reports, _sendgrid("dropped", reason="Bounced Address"), "bounce", "suppressed", False),
    (sendgrid.reports, _sendgrid("dropped", reason="Invalid"), "bounce", "user-unknown", True),
    (
        sendgrid.reports,
        _sendgrid("bounce", reason="", bounce_classification="Reputation"),
        "bounce",
        "reputation",
        False,
    ),
    (
        sendgrid.reports,
        _sendgrid("bounce", reason="550 5.1.1 no such user", type="blocked"),
        "bounce",
        "filtered",
        False,
    ),
    (
        sendgrid.reports,
        _sendgrid("deferred", response="451 4.7.1 Greylisted, try again", attempt="2"),
        "delayed",
        "",
        False,
    ),
    (
        mailgun.reports,
        _mailgun("failed", 605, "Not delivering", reason="suppress-bounce"),
        "bounce",
        "suppressed",
        False,
    ),
    (mailgun.reports, _mailgun("failed", 552, "Over quota", severity="permanent"), "bounce", "mailbox-full", False),
    (mailgun.reports, _mailgun("failed", 450, "Greylisted", severity="temporary"), "delayed", "", False),
    (mailgun.reports, _mailgun("failed", 499, severity="permanent", reason="old"), "bounce", "expired", False),
    (postmark.reports, _postmark("Bounce", Type="ManuallyDeactivated", ID=1), "bounce", "suppressed", False),
    (postmark.reports, _postmark("Bounce", Type="HardBounce", ID=1), "bounce", "user-unknown", True),
    (postmark.reports, _postmark("Bounce", Type="HardBounce", ID=1, Details=FULL), "bounce", "mailbox-full", False),
    (
        postmark.reports,
        _postmark("Bounce", Type="SoftBounce", ID=1, Details="550 5.1.1 user unknown"),
        "bounce",
        "filtered",
        False,
    ),
    (postmark.reports, _postmark("Bounce", Type="Transient", ID=1), "delayed", "network", False),
    (postmark.reports, _postmark("Bounce", Type="DMARCPolicy", ID=1), "bounce", "authentication", False),
    (postmark.reports, _postmark("Bounce", Type="AutoResponder", ID=1), "auto-reply", "vacation", False),
    (postmark.reports, _postmark("Bounce", Type="AWordOfTomorrow", ID=1), "bounce", "unknown", False),
]


@pytest.mark.parametrize(("reader", "document", "kind", "reason", "permanent"), SPOKEN)
def test_kinds_and_reasons(reader: Reader, document: object, kind: str, reason: str, permanent: bool) -> None:  # noqa: FBT001
    """Names that are sure come first, then the words, then the other names; what may pass is never for good."""
    (report,) = reader(document)
    (recipient,) = report.recipients
    assert (report.kind, recipient.permanent) == (kind, permanent)
    assert not reason or recipient.reason == reason


def test_a_delay_of_ses_is_one() -> None:
    """Its list and its body are called after it."""
    body = {"delayType": "MailboxFull", "delayedRecipients": [{"emailAddress": "jane@example.com", "status": "4.2.2"}]}
    (report,) = ses.reports(_ses("DeliveryDelay", deliveryDelay=body))
    assert (report.kind, report.recipients[0].reason) == ("delayed", "mailbox-full")


COMPLAINTS: list[tuple[Reader, Any, str]] = [
    (
        ses.reports,
        _ses("Complaint", complaint={"complainedRecipients": [{"emailAddress": "jane@example.com"}]}),
        "abuse",
    ),
    (ses.reports, _ses("Subscription", subscription={"newTopicPreferences": {"unsubscribeAll": True}}), "opt-out"),
    (sendgrid.reports, _sendgrid("spamreport"), "abuse"),
    (sendgrid.reports, _sendgrid("unsubscribe"), "opt-out"),
    (sendgrid.reports, _sendgrid("group_unsubscribe", asm_group_id=10), "opt-out"),
    (mailgun.reports, _mailgun("complained"), "abuse"),
    (mailgun.reports, _mailgun("unsubscribed"), "opt-out"),
    (postmark.reports, _postmark("SpamComplaint", ID=1), "abuse"),
    (postmark.reports, _postmark("Bounce", Type="Unsubscribe", ID=1), "opt-out"),
    (
        postmark.reports,
        _postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="ManualSuppression"),
        "opt-out",
    ),
]


@pytest.mark.parametrize(("reader", "document", "feedback"), COMPLAINTS)
def test_complaints_and_opt_outs(reader: Reader, document: object, feedback: str) -> None:
    """Both name the person; an opt-out by the provider's own link is told by its type."""
    (report,) = reader(document)
    assert (report.kind, report.feedback_type) == ("complaint", feedback)
    assert [each.address for each in report.recipients] == ["jane@example.com"]


NOTHING: list[tuple[Reader, Any]] = [
    *((ses.reports, _ses(event)) for event in ("Send", "Open", "Click", "Rendering Failure", "Of Tomorrow")),
    *((sendgrid.reports, _sendgrid(event)) for event in ("processed", "open", "click", "group_resubscribe")),
    *((mailgun.reports, _mailgun(event)) for event in ("accepted", "opened", "clicked", "stored")),
    *((postmark.reports, _postmark(record)) for record in ("Open", "Click", "Inbound")),
    (postmark.reports, _postmark("SubscriptionChange", SuppressSending=True, SuppressionReason="HardBounce")),
    (postmark.reports, _postmark("SubscriptionChange", SuppressSending=False)),
    (postmark.reports, _postmark("Bounce", Type="Subscribe")),
]


@pytest.mark.parametrize(("reader", "document"), NOTHING)
def test_opens_clicks_and_what_says_nothing_new_are_passed_over(reader: Reader, document: object) -> None:
    """Opens and clicks are counted by ourselves; nobody is subscribed again by a provider."""
    assert list(reader(document)) == []


def test_not_spam_is_no_complaint() -> None:
    """Nor is a report on authentication."""
    body = {"complainedRecipients": [{"emailAddress": "jane@example.com"}], "complaintFeedbackType": "not-spam"}
    (report,) = ses.reports(_ses("Complaint", complaint=body))
    assert (report.kind, report.feedback_type) == ("other", "not-spam")


def test_a_complaint_about_a_mail_that_was_not_sent_is_a_bounce() -> None:
    """SES tells of its own suppression list as of a complaint."""
    body = {
        "complainedRecipients": [{"emailAddress": "jane@example.com"}],
        "complaintSubType": "OnAccountSuppressionList",
    }
    (report,) = ses.reports(_ses("Complaint", complaint=body))
    assert (report.kind, report.recipients[0].reason) == ("bounce", "suppressed")


def test_every_name_of_a_provider_is_a_reason_of_ours() -> None:
    """The table holds no other."""
    for provider in EVERY:
        table = said.names(provider)
        for name, reason in (*table.sure.items(), *table.otherwise.items()):
            assert reason in REASONS
            assert name == name.lower()


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
_FIELDS = [
    "notificationType",
    "eventType",
    "bounce",
    "mail",
    "complaint",
    "headers",
    "commonHeaders",
    "bouncedRecipients",
    "emailAddress",
    "event",
    "email",
    "timestamp",
    "reason",
    "status",
    "event-data",
    "recipient",
    "delivery-status",
    "code",
    "message",
    "RecordType",
    "Email",
    "Type",
    "ID",
    "Content",
]
_VALUES = st.sampled_from(
    ["Bounce", "bounce", "failed", "delivered", "dropped", "a@b.example", "Complaint", "HardBounce"]
)
_TELLING = st.recursive(
    _VALUES | _JSON,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_FIELDS), inner, max_size=8),
    max_leaves=30,
)


@given(_TELLING)
def test_no_document_makes_a_reader_raise(document: object) -> None:
    """Whatever stands where: reports, or none."""
    given_mapping = document if isinstance(document, dict) else {"mail": document, "event-data": document}
    for reader, _ in EVERY.values():
        for report in reader(given_mapping):
            assert report.kind != "reply"
            assert len(report.clues.digest) == 64
