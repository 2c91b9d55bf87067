"""Which URLs a webhook goes to, and how it is signed."""

from base64 import b64encode
from pathlib import Path

import pytest

from services.planner.notices.webhooks import UnreachableError, address_of, signature, wrong_url
from services.planner.settings import PlannerSettings

SECRET = "whsec_" + b64encode(b"k" * 32).decode()


def settings(tmp_path: Path, **more: object) -> PlannerSettings:
    """Return settings with webhooks."""
    told = {"data_dir": tmp_path, "secret_keys": "s" * 32, "address_pepper": "p" * 32, "notify_secret": SECRET}
    return PlannerSettings.model_validate(told | more)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "::1", "10.1.2.3", "169.254.169.254", "::ffff:127.0.0.1", "192.168.1.1"],
)
async def test_what_is_not_public_is_not_asked_unless_it_may_be(host: str) -> None:
    """Loopback, private nets, metadata of clouds, by address or by name."""
    with pytest.raises(UnreachableError, match="not public"):
        await address_of(host, 443, private=False)
    assert await address_of(host, 443, private=True)


async def test_a_public_address_is_asked_as_it_is() -> None:
    """What was looked at is what is asked."""
    assert await address_of("8.8.8.8", 443, private=False) == "8.8.8.8"


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example/", "http://a.example/", "https://", "https://u:p@a.example/", "https://a.example:x/", "no"],
)
def test_what_is_no_url_of_a_webhook_is_refused(tmp_path: Path, url: str) -> None:
    """Before anything is drafted, with the field."""
    refusal = wrong_url(url, settings(tmp_path))
    assert refusal is not None
    assert (refusal.code, refusal.field) == ("notify_url_invalid", "notify_url")


def test_a_url_is_taken_where_webhooks_are_on(tmp_path: Path) -> None:
    """With a secret; without TLS only where private ones may be asked."""
    assert wrong_url("https://a.example:8443/x?y=1", settings(tmp_path)) is None
    assert wrong_url("http://a.example/", settings(tmp_path, notify_private=True)) is None
    assert wrong_url("https://a.example/", settings(tmp_path, notify_secret="")) is not None


@pytest.mark.parametrize("secret", ["whsec_short", "c2VjcmV0" * 6, "whsec_!" + "a" * 40])
def test_a_secret_that_is_none_refuses_the_start(tmp_path: Path, secret: str) -> None:
    """The error names the setting."""
    with pytest.raises(ValueError, match="notify_secret"):
        settings(tmp_path, notify_secret=secret)


def test_the_signature_is_that_of_the_standard() -> None:
    """The example of the specification's reference implementations."""
    body = b'{"test": 2432232314}'
    made = signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body)
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
