"""Secrets from files, as containers hand them over."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.settings import Settings

SECRET = "a-secret-of-at-least-thirty-two-characters"


@pytest.mark.parametrize("name", ["nats_password", "database_url", "secret_keys", "address_pepper"])
def test_a_secret_may_stand_in_a_file(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """POSTHASTE_<NAME>_FILE is read without its line break, and is shown nowhere."""
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    monkeypatch.setenv(f"POSTHASTE_{name.upper()}_FILE", str(path))
    settings = Settings()
    assert getattr(settings, name) == SECRET
    assert SECRET not in repr(settings)


def test_a_secret_in_a_file_and_in_the_environment_is_one_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The start is refused; the message names both variables and neither value."""
    (tmp_path / "secret").write_text("other" + SECRET)
    monkeypatch.setenv("POSTHASTE_SECRET_KEYS", SECRET)
    monkeypatch.setenv("POSTHASTE_SECRET_KEYS_FILE", str(tmp_path / "secret"))
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert "POSTHASTE_SECRET_KEYS and POSTHASTE_SECRET_KEYS_FILE" in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("content", [None, "", " \n"])
def test_a_file_without_a_secret_refuses_the_start(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing or empty: the message names the variable."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
    monkeypatch.setenv("POSTHASTE_ADDRESS_PEPPER_FILE", str(path))
    with pytest.raises(ValidationError, match="POSTHASTE_ADDRESS_PEPPER_FILE"):
        Settings()
