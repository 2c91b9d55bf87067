"""Webhooks over HTTP, signed as the providers sign: recorded before the answer, once, and from nobody else."""

import asyncio
import json
import logging
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from services.tracker.webhooks.amazon import MOST_A_MINUTE, Amazon
from services.tracker.webhooks.hooks import MAX_HOOK_BODY
from services.tracker.webhooks.providers import Mailgun, Postmark, Provider, SendGrid, Ses
from tests.harness.webhooks import (
    CERTIFICATE_URL,
    MAILGUN_KEY,
    POSTMARK_LOGIN,
    TOPIC,
    AmazonSigner,
    Posted,
    SendGridSigner,
    as_sns,
    mailgun,
    mailgun_failure,
    postmark,
    postmark_bounce,
    sendgrid_bounce,
    ses_bounce,
)
from tests.integration.tracker.hooks import AmazonSite, Site, site

AMAZON = AmazonSigner()
SENDGRID = SendGridSigner()

POSTS: dict[str, Callable[[], Posted]] = {
    "ses": lambda: AMAZON.post(ses_bounce()),
    "sendgrid": lambda: SENDGRID.post([sendgrid_bounce()]),
    "mailgun": lambda: mailgun(mailgun_failure()),
    "postmark": lambda: postmark(postmark_bounce()),
}


@pytest.fixture
async def amazon() -> AsyncIterator[AmazonSite]:
    """Yield Amazon's side."""
    async with AmazonSite(AMAZON.pem) as found:
        yield found


@pytest.fixture
async def hooks(amazon: AmazonSite) -> AsyncIterator[Site]:
    """Yield a server with all four webhooks."""
    providers: dict[str, Provider] = {
        "ses": Ses([TOPIC], Amazon(amazon.endpoint)),
        "sendgrid": SendGrid([SENDGRID.public]),
        "mailgun": Mailgun([MAILGUN_KEY]),
        "postmark": Postmark([POSTMARK_LOGIN]),
    }
    async with site(providers) as found:
        yield found


@pytest.mark.feature("B8")
@pytest.mark.parametrize("name", POSTS)
async def test_what_a_provider_says_is_recorded_before_the_answer(hooks: Site, name: str) -> None:
    """200, without a body; the report bears the provider's name."""
    reply = await hooks.post(name, POSTS[name]())
    assert (reply.status, reply.body) == (200, b"")
    ((source, report),) = hooks.desk.told
    assert (source, report.kind, report.recipients[0].reason) == (name, "bounce", "user-unknown")


@pytest.mark.parametrize("name", POSTS)
async def test_46_deliveries_out_of_order_are_one_fact_each(hooks: Site, name: str) -> None:
    """Ten events, each between once and 46 times, shuffled and at once."""
    made: dict[str, Callable[[int], Posted]] = {
        "ses": lambda i: AMAZON.post(_numbered_ses(i), version=str(1 + i % 2)),
        "sendgrid": lambda i: SENDGRID.post([{**sendgrid_bounce(), "sg_message_id": f"m{i}"}]),
        "mailgun": lambda i: mailgun({**mailgun_failure(), "id": f"id{i}"}, token=f"{i:050}"),
        "postmark": lambda i: postmark({**postmark_bounce(), "ID": i}),
    }
    dice = random.Random(66)
    posts = [post for i in range(10) for post in [made[name](i)] * dice.choice([1, 2, 7, 46])]
    dice.shuffle(posts)
    for start in range(0, len(posts), 20):
        replies = await asyncio.gather(*(hooks.post(name, post) for post in posts[start : start + 20]))
        assert {reply.status for reply in replies} == {200}
    assert len(hooks.desk.facts) == 10
    assert len(hooks.desk.told) == len(posts)


def _numbered_ses(number: int) -> dict[str, object]:
    found = ses_bounce()
    return {**found, "bounce": {**found["bounce"], "feedbackId": f"f{number}"}}


def _forged() -> dict[str, tuple[str, Posted]]:
    """What is not believed, by what is wrong with it."""
    right = {name: post() for name, post in POSTS.items()}
    yesterday = datetime.now(UTC) - timedelta(hours=30)
    ten_hours_ago = datetime.now(UTC) - timedelta(hours=10)
    stranger = AmazonSigner()
    unsigned = json.dumps({"event-data": mailgun_failure()}).encode()
    another = SendGridSigner().post([sendgrid_bounce()])
    changed = right["sendgrid"].body.replace(b"jane", b"john")
    stale = yesterday.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "sendgrid without a signature": ("sendgrid", Posted(right["sendgrid"].body)),
        "sendgrid by another key": ("sendgrid", another),
        "sendgrid with another body": ("sendgrid", Posted(changed, right["sendgrid"].headers)),
        "sendgrid of the day before yesterday": ("sendgrid", SENDGRID.post([sendgrid_bounce()], yesterday)),
        "mailgun without a signature": ("mailgun", Posted(unsigned)),
        "mailgun by another key": ("mailgun", mailgun(mailgun_failure(), key="another")),
        "mailgun that is no JSON": ("mailgun", Posted(b"{" * 50_000)),
        "mailgun of ten hours ago": ("mailgun", mailgun(mailgun_failure(), at=ten_hours_ago)),
        "postmark without a password": ("postmark", Posted(right["postmark"].body)),
        "postmark with another password": ("postmark", postmark(postmark_bounce(), "postmark:guess")),
        "ses by another key": ("ses", stranger.post(ses_bounce())),
        "ses of another topic": ("ses", AMAZON.post(ses_bounce(), TopicArn=TOPIC + "x")),
        "ses of the day before yesterday": ("ses", AMAZON.post(ses_bounce(), Timestamp=stale)),
        "ses with a certificate from elsewhere": (
            "ses",
            stranger.post(ses_bounce(), SigningCertURL=CERTIFICATE_URL.replace("amazonaws", "evil.example/amazonaws")),
        ),
        "ses with a certificate that is not there": (
            "ses",
            AMAZON.post(ses_bounce(), SigningCertURL=CERTIFICATE_URL.replace("0123", "9999")),
        ),
    }


async def test_what_is_forged_or_too_old_is_answered_401(hooks: Site, amazon: AmazonSite) -> None:
    """Nothing of it is recorded, nothing is confirmed, and the same words answer each."""
    shapes = set()
    for why, (name, posted) in _forged().items():
        reply = await hooks.post(name, posted)
        assert reply.status == 401, why
        shapes.add((reply.body, *sorted(set(reply.headers) - {"date"})))
    assert len(shapes) == 1
    assert (hooks.desk.calls, amazon.confirmed) == (0, [])


async def test_the_last_try_of_a_provider_is_still_believed(hooks: Site) -> None:
    """Mailgun tries for eight hours, SendGrid for 24: what waited so long is recorded."""
    now = datetime.now(UTC)
    last = {
        "mailgun": mailgun(mailgun_failure(), at=now - timedelta(hours=8, minutes=30)),
        "sendgrid": SENDGRID.post([sendgrid_bounce()], now - timedelta(hours=24, minutes=30)),
    }
    for name, posted in last.items():
        assert (await hooks.post(name, posted)).status == 200, name
    assert len(hooks.desk.facts) == 2


async def test_a_token_of_mailgun_cannot_carry_another_body(hooks: Site) -> None:
    """It signs the token alone: who saw one request cannot make another of it. The same one again is welcome."""
    first = mailgun(mailgun_failure())
    signed = json.loads(first.body)["signature"]
    other = Posted(
        json.dumps({"signature": signed, "event-data": mailgun_failure(address="victim@example.com")}).encode()
    )
    assert (await hooks.post("mailgun", first)).status == 200
    assert (await hooks.post("mailgun", other)).status == 401
    assert (await hooks.post("mailgun", first)).status == 200
    assert {report.recipients[0].address for _, report in hooks.desk.told} == {"jane@example.com"}


async def test_without_a_key_there_is_no_such_path() -> None:
    """404 with the bytes of any unknown path; and the paths of others are as unknown."""
    async with site({"postmark": Postmark([POSTMARK_LOGIN])}) as found:
        unknown = await found.web.get("/nothing/here")
        for path in (
            "/hooks/ses",
            "/hooks/sendgrid",
            "/hooks/",
            "/hooks",
            "/hooks/postmark/",
            "/hoo",
            "/hooks/POSTMARK",
        ):
            reply = await found.web.ask("POST", path, b"{}", {"Content-Type": "application/json"})
            assert (reply.status, reply.body) == (404, unknown.body), path
        assert (await found.web.get("/hooks/postmark")).status == 405


async def test_what_nobody_keeps_is_not_answered_200(hooks: Site) -> None:
    """503, and to come again; a token of Mailgun's is not used up by that."""
    hooks.desk.broken = True
    posts = {name: post() for name, post in POSTS.items()}
    for name, posted in posts.items():
        reply = await hooks.post(name, posted)
        assert (reply.status, reply.headers["retry-after"]) == (503, "60"), name
    hooks.desk.broken = False
    for name, posted in posts.items():
        assert (await hooks.post(name, posted)).status == 200
    assert len(hooks.desk.facts) == 4


async def test_a_subscription_is_confirmed_at_amazon_and_for_our_topic_alone(hooks: Site, amazon: AmazonSite) -> None:
    """Not at the address in the message; while Amazon does not take it, SNS is asked to come again."""
    message = AMAZON.message(
        "You have chosen to subscribe", "SubscriptionConfirmation", SubscribeURL="http://evil.example/"
    )
    amazon.status = HTTPStatus.OK
    assert (await hooks.post("ses", as_sns(message))).status == 200
    (confirmed,) = amazon.confirmed
    assert (confirmed["TopicArn"], confirmed["Token"]) == (TOPIC, message["Token"])
    foreign = AMAZON.message("x", "SubscriptionConfirmation", TopicArn=TOPIC.replace("bounces", "others"))
    assert (await hooks.post("ses", as_sns(foreign))).status == 401
    amazon.status = HTTPStatus.INTERNAL_SERVER_ERROR
    assert (await hooks.post("ses", as_sns(message))).status == 503
    assert len(amazon.confirmed) == 2
    assert hooks.desk.told == []


async def test_a_certificate_is_fetched_once(hooks: Site, amazon: AmazonSite) -> None:
    """Twenty messages at once ask Amazon once."""
    posts = [AMAZON.post(_numbered_ses(number)) for number in range(20)]
    replies = await asyncio.gather(*(hooks.post("ses", post) for post in posts))
    assert {reply.status for reply in replies} == {200}
    assert len(amazon.fetched) == 1


async def test_made_up_certificates_cost_a_bounded_number_of_requests(hooks: Site, amazon: AmazonSite) -> None:
    """Ten a minute; who has a certificate that is known is not kept waiting."""
    assert (await hooks.post("ses", POSTS["ses"]())).status == 200
    statuses = []
    for number in range(3 * MOST_A_MINUTE):
        url = CERTIFICATE_URL.replace("0123456789abcdef.pem", f"{number:016x}.pem")
        statuses.append((await hooks.post("ses", AMAZON.post(ses_bounce(), SigningCertURL=url))).status)
    assert set(statuses) == {401, 503}
    assert len(amazon.fetched) == MOST_A_MINUTE
    assert (await hooks.post("ses", POSTS["ses"]())).status == 200


async def test_while_amazon_is_not_reached_messages_are_to_come_again() -> None:
    """Neither believed nor lost."""
    async with site({"ses": Ses([TOPIC], Amazon("http://127.0.0.1:9"))}) as found:
        assert (await found.post("ses", POSTS["ses"]())).status == 503
        assert found.desk.told == []


@pytest.mark.parametrize("name", POSTS)
async def test_a_body_of_ten_megabytes_is_answered_413(hooks: Site, name: str) -> None:
    """Announced or in chunks; nothing of it is kept."""
    headers = {**POSTS[name]().headers, "Content-Length": str(10 * 1024 * 1024)}
    lines = [f"POST /hooks/{name} HTTP/1.1", "Host: x", *(f"{key}: {value}" for key, value in headers.items()), "", ""]
    announced = await hooks.web.ask("POST", "/", raw="\r\n".join(lines).encode())
    assert announced.status == 413
    del headers["Content-Length"]
    lines = [f"POST /hooks/{name} HTTP/1.1", "Host: x", "Transfer-Encoding: chunked"]
    lines += [f"{key}: {value}" for key, value in headers.items()]
    chunk = f"{len(PIECE):x}\r\n".encode() + PIECE + b"\r\n"
    raw = "\r\n".join([*lines, "", ""]).encode() + chunk * (MAX_HOOK_BODY // len(PIECE) + 1)
    assert (await hooks.web.ask("POST", "/", raw=raw)).status == 413
    assert hooks.desk.told == []


PIECE = b" " * 65_536


async def test_all_bodies_together_are_bounded() -> None:
    """What is beyond is asked to come again; who sent it is served again when there is room."""
    async with site({"mailgun": Mailgun([MAILGUN_KEY])}, most=300_000) as found:
        large = Posted(b" " * 400_000)
        assert (await found.post("mailgun", large)).status == 503
        assert (await found.post("mailgun", POSTS["mailgun"]())).status == 200


async def test_a_batch_of_thousands_keeps_nobody_waiting(hooks: Site) -> None:
    """The desk is told some at a time, and all of them."""
    events = [{**sendgrid_bounce(), "sg_message_id": f"m{number}"} for number in range(2_000)]
    assert (await hooks.post("sendgrid", SENDGRID.post(events))).status == 200
    assert len(hooks.desk.facts) == 2_000
    assert hooks.desk.calls == 100


async def test_signed_and_yet_not_understood(hooks: Site) -> None:
    """400 for what is no JSON; what is JSON of tomorrow is 200 and nothing."""
    assert (await hooks.post("postmark", Posted(b"{", postmark({}).headers))).status == 400
    for name, posted in {
        "postmark": postmark({"RecordType": "OfTomorrow"}),
        "mailgun": mailgun({"event": "of tomorrow"}),
        "sendgrid": SENDGRID.post({"not": "a list"}),
        "ses": as_sns(AMAZON.message("Successfully validated SNS topic for Amazon SES event publishing.")),
    }.items():
        assert (await hooks.post(name, posted)).status == 200, name
    assert hooks.desk.told == []


async def test_no_address_reaches_the_log(hooks: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever comes, and however it ends."""
    caplog.set_level(logging.DEBUG)
    for name, post in POSTS.items():
        await hooks.post(name, post())
    for name, posted in _forged().values():
        await hooks.post(name, posted)
    hooks.desk.broken = True
    for name, post in POSTS.items():
        await hooks.post(name, post())
    assert "not kept" in caplog.text
    assert "jane" not in caplog.text
    assert "@" not in caplog.text.replace("@pytest", "")
