"""Who is believed: signatures, time stamps, tokens and passwords of the providers."""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.tracker.webhooks import signatures, sns
from services.tracker.webhooks.signatures import BadKeyError, Tokens
from tests.harness.webhooks import (
    CERTIFICATE_URL,
    MAILGUN_KEY,
    TOPIC,
    AmazonSigner,
    Posted,
    SendGridSigner,
    mailgun,
    mailgun_failure,
    sendgrid_bounce,
)

NOW = datetime.now(UTC)
TOPICS = frozenset([TOPIC])
SENDGRID = SendGridSigner()
AMAZON = AmazonSigner()


def _sendgrid(posted: Posted, *keys: str, body: bytes | None = None, now: datetime = NOW) -> str:
    signature = posted.headers["X-Twilio-Email-Event-Webhook-Signature"]
    timestamp = posted.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
    known = signatures.sendgrid_keys(keys or (SENDGRID.public,))
    return signatures.sendgrid(known, signature, timestamp, posted.body if body is None else body, now)


def test_sendgrid_signs_time_and_body() -> None:
    """Every byte counts; any key that is configured will do."""
    posted = SENDGRID.post([sendgrid_bounce()], NOW)
    other = SendGridSigner()
    assert _sendgrid(posted) == "valid"
    assert _sendgrid(posted, other.public, SENDGRID.public) == "valid"
    assert _sendgrid(posted, other.public) == "forged"
    assert _sendgrid(posted, body=posted.body.strip()) == "forged"
    posted.headers["X-Twilio-Email-Event-Webhook-Timestamp"] += "0"
    assert _sendgrid(posted) == "forged"


@pytest.mark.parametrize(
    ("age", "sendgrid", "mailguns"),
    [
        (0, "valid", "valid"),
        (8.5, "valid", "valid"),
        (24.5, "valid", "replayed"),
        (26, "replayed", "replayed"),
        (-1, "replayed", "replayed"),
    ],
)
def test_a_time_stamp_may_be_as_old_as_providers_try(age: float, sendgrid: str, mailguns: str) -> None:
    """A day for one, a working day for the other; and not from the future."""
    at = NOW - timedelta(hours=age)
    assert _sendgrid(SENDGRID.post([], at)) == sendgrid
    assert signatures.mailgun([MAILGUN_KEY], json.loads(mailgun({}, at=at).body)["signature"], NOW) == mailguns


def test_a_key_that_is_none_refuses_the_start() -> None:
    """The message names the setting and quotes nothing."""
    for text in ("bm8ga2V5", "not base64", ""):
        with pytest.raises(BadKeyError, match="POSTHASTE_SENDGRID_KEYS"):
            signatures.sendgrid_keys([text])


def _signed(**changed: object) -> dict[str, Any]:
    return {**json.loads(mailgun(mailgun_failure(), at=NOW).body)["signature"], **changed}


def test_mailgun_signs_time_and_token() -> None:
    """Any key of ours, also as the parent of a subaccount."""
    right = _signed()
    assert signatures.mailgun(["another", MAILGUN_KEY], right, NOW) == "valid"
    assert (
        signatures.mailgun([MAILGUN_KEY], _signed(**{"signature": "0", "parent-signature": right["signature"]}), NOW)
        == "valid"
    )
    assert signatures.mailgun(["another"], right, NOW) == "forged"
    for wrong in ({"token": "b" * 50}, {"timestamp": "1"}, {"signature": ""}, {"signature": None}, {"token": ""}):
        assert signatures.mailgun([MAILGUN_KEY], _signed(**wrong), NOW) == "forged"


def test_digits_cannot_move_from_the_token_into_the_time() -> None:
    """They are signed without anything between them: what is made of it is out of its time."""
    right = json.loads(mailgun({}, token="1" + "a" * 49).body)["signature"]
    moved = {**right, "timestamp": right["timestamp"] + "1", "token": "a" * 49}
    back = {**right, "timestamp": right["timestamp"][:-1], "token": right["timestamp"][-1] + right["token"]}
    assert signatures.mailgun([MAILGUN_KEY], moved, NOW) == "replayed"
    assert signatures.mailgun([MAILGUN_KEY], back, NOW) == "replayed"


def test_a_token_stands_for_one_body() -> None:
    """The same again is the same; anything else under it is not believed. Only so many are remembered."""
    tokens = Tokens(limit=3)
    assert tokens.take("a", b"one")
    assert tokens.take("a", b"one")
    assert not tokens.take("a", b"two")
    assert [tokens.take(token, b"") for token in "bcd"] == [True] * 3
    assert tokens.take("a", b"two")
    assert not tokens.take("d", b"two")


def test_postmark_shows_a_password() -> None:
    """Whole, and as Basic."""
    login = "postmark:päss:word"
    shown = b64encode(login.encode()).decode()
    assert signatures.password(["x:y", login], f"Basic {shown}") == "valid"
    for wrong in ("", "Basic", "Basic !", f"Bearer {shown}", f"Basic {b64encode(b'postmark').decode()}", "Basic Og=="):
        assert signatures.password([login], wrong) == "forged"


def _read(message: dict[str, Any]) -> sns.Message | None:
    return sns.read(json.dumps(message).encode(), TOPICS)


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("kind", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_amazon_signs_what_it_says(kind: str, version: str) -> None:
    """Each kind has its fields, each version its digest; whatever is changed shows."""
    message = AMAZON.message(
        '{"a": "line\\nbreak, é"}', kind, version, **({"Subject": "S"} if kind == "Notification" else {})
    )
    found = _read(message)
    assert found is not None
    assert sns.verifies(found, AMAZON.pem, NOW)
    for name in ("Message", "MessageId", "Timestamp", "Token", "Subject"):
        changed = _read({**message, name: "changed"})
        assert changed is not None
        if name in message:
            assert not sns.verifies(changed, AMAZON.pem, NOW)


@pytest.mark.parametrize(
    "signer", [AmazonSigner("sns.example.com"), AmazonSigner("sns.amazonaws.com.evil.example"), AmazonSigner(days=-1)]
)
def test_a_certificate_of_another_or_of_another_time_is_not_believed(signer: AmazonSigner) -> None:
    """Though its key did sign."""
    found = _read(signer.message("{}"))
    assert found is not None
    assert not sns.verifies(found, signer.pem, NOW)
    assert not sns.verifies(found, b"no certificate", NOW)
    assert not sns.verifies(found, AMAZON.pem, NOW)


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE_URL.replace("https", "http"),
        CERTIFICATE_URL.replace("eu-central-1", "us-east-1"),
        CERTIFICATE_URL.replace("amazonaws.com", "amazonaws.com.evil.example"),
        CERTIFICATE_URL.replace("sns.eu", "sns.evil.example/sns.eu"),
        CERTIFICATE_URL.replace("sns.", "evil@sns."),
        CERTIFICATE_URL.replace("sns.eu-central-1", "bucket.s3"),
        CERTIFICATE_URL.replace(".com/", ".com:8443/"),
        CERTIFICATE_URL.replace(".com/", ".com/x/"),
        CERTIFICATE_URL + "?x=.pem",
        "https://sns.eu-central-1.amazonaws.com/?Action=GetEndpointAttributes&x=/SimpleNotificationService-0123456789abcdef.pem",
        "",
    ],
)
def test_a_certificate_comes_from_the_host_of_the_topic_alone(url: str) -> None:
    """No other host, port, path or scheme is ever asked."""
    assert _read(AMAZON.message("{}", SigningCertURL=url)) is None


def test_a_topic_that_is_not_ours_is_not_heard() -> None:
    """Anybody may have a topic, and Amazon signs for it."""
    assert _read(AMAZON.message("{}", TopicArn=TOPIC + "x")) is None
    odd = "arn:aws:sns:evil.example/#:123456789012:x"
    assert sns.read(json.dumps(AMAZON.message("{}", TopicArn=odd)).encode(), frozenset([odd])) is None


def test_a_subscription_is_confirmed_where_the_topic_is() -> None:
    """Not where the message says; and a topic in China is at its own host."""
    message = AMAZON.message("x", "SubscriptionConfirmation", SubscribeURL="https://evil.example/", Token="a&b=c")
    found = _read(message)
    assert found is not None
    assert found.confirmation.startswith("https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&")
    assert found.confirmation.endswith("&Token=a%26b%3Dc")
    china = TOPIC.replace("arn:aws:sns:eu-central-1", "arn:aws-cn:sns:cn-north-1")
    at = CERTIFICATE_URL.replace("eu-central-1.amazonaws.com", "cn-north-1.amazonaws.com.cn")
    message = AMAZON.message("x", TopicArn=china, SigningCertURL=at)
    assert sns.read(json.dumps(message).encode(), frozenset([china])) is not None


_LOOSE = st.none() | st.integers() | st.text(max_size=30) | st.lists(st.integers(), max_size=2)


@given(
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from(list(AMAZON.message(""))), _LOOSE).map(lambda d: json.dumps(d).encode())
)
def test_no_body_makes_the_reader_of_messages_raise(body: bytes) -> None:
    """It is read, or it is nothing."""
    assert sns.read(body, TOPICS) is None


@given(
    st.text(max_size=80),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from(["timestamp", "token", "signature"]), _LOOSE),
)
def test_nonsense_is_forged(text: str, timestamp: str, signed: dict[str, object]) -> None:
    """Whatever stands in headers or fields."""
    keys = signatures.sendgrid_keys([SENDGRID.public])
    assert signatures.sendgrid(keys, text, timestamp, b"", NOW) == "forged"
    assert signatures.mailgun([MAILGUN_KEY], signed, NOW) == "forged"
    assert signatures.password(["a:b"], text) == "forged"
