"""Settings common to all services, from the environment only (`POSTHASTE_...`); each service adds its own fields.

A secret may stand in a file that `POSTHASTE_<NAME>_FILE` names, as containers hand secrets over.

Wrong or contradictory settings refuse the start with a message that names the variable.
"""

from pathlib import Path
from typing import Any

from pydantic import Field, FilePath, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What every service needs.

    Attributes:
        nats_url: Servers, comma separated; `tls://` for all of them or for none.
        nats_user: The service's NATS user; its permissions are in deploy/nats.
        nats_ca_file: Authorities (PEM) that alone may vouch for the servers; without it, those of the system.
        data_dir: Folder for local state (SQLite files, journals, spool).
        database_url: `postgresql://user:password@host/database`; "" means SQLite in `data_dir`.
        database_connections: Most connections a process opens to PostgreSQL.
        public_url: Base of the links in mails, served by the tracker.
        secret_keys: Comma-separated secrets of at least 32 characters, the first signs and seals, all verify and open.
        address_pepper: Secret of the keyed hash of addresses; never changes, or suppression is forgotten.
        nats_password_file: File that holds the password instead, as do the other fields that end so.
        ops_port: Port of health and metrics on `ops_host`; 0 turns them off.
        otlp_endpoint: Base address of an OpenTelemetry collector (OTLP over HTTP); "" sends no traces.
        providers_file: Table of mailbox providers (TOML) that adds to the built-in one, for planner and sender.
        trace_share: Share of all mailings that is traced.
    """

    model_config = SettingsConfigDict(env_prefix="POSTHASTE_", frozen=True, extra="ignore", hide_input_in_errors=True)

    nats_url: str = "nats://127.0.0.1:4222"
    nats_user: str = ""
    nats_password: str = Field(default="", repr=False)
    nats_ca_file: FilePath | None = None
    data_dir: Path = Path("data")
    database_url: str = Field(default="", repr=False)
    database_connections: int = Field(default=10, ge=2, le=100)
    public_url: str = "http://127.0.0.1:8025"
    secret_keys: str = Field(default="", repr=False)
    address_pepper: str = Field(default="", repr=False)
    nats_password_file: FilePath | None = None
    database_url_file: FilePath | None = None
    secret_keys_file: FilePath | None = None
    address_pepper_file: FilePath | None = None
    ops_host: str = "127.0.0.1"
    ops_port: int = 0
    log_level: str = "INFO"
    log_format: str = "text"
    otlp_endpoint: str = ""
    providers_file: FilePath | None = None
    trace_share: float = Field(default=1.0, ge=0, le=1)

    @model_validator(mode="before")
    @classmethod
    def _from_files(cls, given: Any) -> Any:  # noqa: ANN401 - whatever the environment says
        """Read the secrets that stand in files, as containers hand them over."""
        for name in (field for field in cls.model_fields if f"{field}_file" in cls.model_fields):
            path = given.get(f"{name}_file")
            if not path:
                continue
            variable = f"POSTHASTE_{name.upper()}"
            if given.get(name):
                raise ValueError(f"{variable} and {variable}_FILE are both set: one of them is enough")
            try:
                given[name] = Path(path).read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{variable}_FILE: {path} cannot be read ({error})") from error
            if not given[name]:
                raise ValueError(f"{variable}_FILE: {path} is empty")
        return given

    @model_validator(mode="after")
    def _encrypted_or_not(self) -> "Settings":
        encrypted = [url.strip().startswith("tls://") for url in self.nats_url.split(",")]
        if any(encrypted) != all(encrypted):
            raise ValueError("POSTHASTE_NATS_URL mixes tls:// with others: a password would go out in clear")
        if self.nats_ca_file is not None and not all(encrypted):
            raise ValueError("POSTHASTE_NATS_CA_FILE is set, but POSTHASTE_NATS_URL does not say tls://")
        return self
