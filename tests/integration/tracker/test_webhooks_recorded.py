"""From a webhook to the log, through a tracker as a process of its own, with the log there and away."""

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.tracker.webhooks.settings import WebhookSettings
from shared.contracts import subjects
from shared.contracts.feedback import BounceReceived, ComplaintReceived
from tests.harness.nats import NatsServer
from tests.harness.tracker import RING, SIGNER, TrackerProcess
from tests.harness.waiting import until
from tests.harness.webhooks import (
    MAILGUN_KEY,
    POSTMARK_LOGIN,
    TOPIC,
    AmazonSigner,
    Posted,
    SendGridSigner,
    mailgun,
    mailgun_failure,
    postmark,
    postmark_bounce,
    sendgrid_bounce,
    ses_bounce,
)
from tests.integration.tracker.conftest import Written
from tests.integration.tracker.hooks import AmazonSite

AMAZON = AmazonSigner()
SENDGRID = SendGridSigner()
OURS = f"<m1.3.7.{SIGNER.recipient_mac(b'm1.3.7').decode()}@news.example.com>"
JANE = RING.address_key("jane@example.com")


@pytest.fixture
async def hooked(log_streams: NatsServer, tmp_path: Path) -> AsyncIterator[TrackerProcess]:
    """Yield a tracker with the keys of all providers."""
    async with AmazonSite(AMAZON.pem) as amazon:
        environment = {
            "POSTHASTE_SES_TOPICS": TOPIC,
            "POSTHASTE_SNS_ENDPOINT": amazon.endpoint,
            "POSTHASTE_SENDGRID_KEYS": SENDGRID.public,
            "POSTHASTE_MAILGUN_KEYS": f"an-older-one, {MAILGUN_KEY}",
            "POSTHASTE_POSTMARK_LOGINS": POSTMARK_LOGIN,
        }
        process = await TrackerProcess(log_streams.url, tmp_path / "tracker", environment).start()
        yield process
        process.kill()


async def _post(tracker: TrackerProcess, name: str, posted: Posted) -> int:
    return (await tracker.web.ask("POST", f"/hooks/{name}", posted.body, posted.headers)).status


async def _facts(written: Written) -> dict[str, BounceReceived | ComplaintReceived]:
    """Return what is in the log, by the id of the fact."""
    found = {}
    async for commits in written.log.scan([subjects.ALL_FEEDBACK]):
        for commit in commits:
            for record in commit.events:
                assert isinstance(record.event, BounceReceived | ComplaintReceived)
                found[record.id] = record.event
    return found


async def test_every_event_is_one_fact_however_often_it_comes(
    hooked: TrackerProcess, written: Written, log_streams: NatsServer
) -> None:
    """Four providers, each event up to 46 times, shuffled, some while the log is away: all in it, once, and proven."""
    complaint = {**postmark_bounce(), "RecordType": "SpamComplaint", "Type": "SpamComplaint"}
    posts = {
        "ses": [AMAZON.post(ses_bounce(OURS))],
        "sendgrid": [SENDGRID.post([sendgrid_bounce(OURS)])],
        "mailgun": [mailgun(mailgun_failure(OURS.strip("<>")))],
        "postmark": [postmark(postmark_bounce()), postmark(complaint)],
    }
    many = [(name, posted) for name, each in posts.items() for posted in each for _ in range(46)]
    random.Random(66).shuffle(many)
    half = len(many) // 2
    assert {await _post(hooked, *each) for each in many[:half]} == {200}
    await asyncio.to_thread(log_streams.stop)
    for start in range(half, len(many), 23):
        statuses = await asyncio.gather(*(_post(hooked, *each) for each in many[start : start + 23]))
        assert set(statuses) == {200}
    await asyncio.to_thread(log_streams.start)
    await until(hooked.spool_is_empty, 20)
    facts = list((await _facts(written)).values())
    assert sorted(fact.source for fact in facts) == ["mailgun", "postmark", "postmark", "sendgrid", "ses"]
    assert {(fact.proven, fact.address_key) for fact in facts} == {("provider", JANE)}
    named = [(fact.mailing, fact.n, fact.index) for fact in facts if fact.source != "postmark"]
    assert named == [("m1", 3, 7)] * 3
    bounces = [fact for fact in facts if isinstance(fact, BounceReceived)]
    assert {(fact.kind, fact.reason, fact.permanent) for fact in bounces} == {("bounce", "user-unknown", True)}
    (complained,) = [fact for fact in facts if isinstance(fact, ComplaintReceived)]
    assert complained.feedback_type == "abuse"


@pytest.mark.parametrize(
    "wrong",
    [{"sendgrid_keys": "bm8ga2V5"}, {"ses_topics": "arn:aws:sns:nowhere"}, {"postmark_logins": "only-a-password"}],
)
def test_a_key_that_could_never_fit_refuses_the_start(wrong: dict[str, str]) -> None:
    """With the name of the setting, and nothing of its value."""
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"POSTHASTE_{name.upper()}") as refused:
        WebhookSettings.model_validate(wrong)
    assert value not in str(refused.value)
