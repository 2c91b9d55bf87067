"""Settings of the planner, from the environment (`POSTHASTE_...`)."""

import binascii
from base64 import b64decode

from pydantic import Field, field_validator

from shared.contracts.mailing_settings import Batch
from shared.messaging.http.settings import HttpSettings


class PlannerSettings(HttpSettings):
    """What the planner needs beside the common settings.

    Attributes:
        http_port: Port of the HTTP API; 0 turns it off.
        sweep_seconds: How often everything that moves is looked at anyway.
        quiet_seconds: A chunk without an event for so long, and not known to be due, gets a new hint.
        stuck_seconds: A chunk that nothing holds and that had no event for so long counts as stuck in the metrics.
        ahead_seconds: How much work of each lane is planned ahead.
        most_open: Most chunks of a lane whose first pass is open.
        chunk_size: Most recipients of a chunk.
        probe_seconds: How long a sender may take to try an account out.
        mx_lookups: Whether domains of contacts get the lane of the provider to which their mail exchangers belong.
        dns_server: Server that is asked for them, and by the preflight of an account, `host` or `host:port`; "" is the
            machine's resolver.
        soft_bounces: An address is suppressed when so many mailings in 30 days bounced in a way that passes.
        append_unsubscribe: Whether a link to unsubscribe is appended to bodies that have none of their own.
        audit_days: How long the audit remembers who asked for what.
        batch_size: A mailing that names no batch goes out in batches of so many recipients; 0: all at once.
        batch_minutes: The period of such a batch.
        notify_secret: Signs webhooks: `whsec_` and 24 to 64 bytes in base64; "" turns them off.
        notify_private: Whether webhooks may go to addresses that are not public, and without TLS.
        forecast_rate: Mails a second that a forecast assumes where nothing limits them.
    """

    http_port: int = Field(default=8027, ge=0, le=65_535)
    sweep_seconds: float = Field(default=30, gt=0)
    quiet_seconds: float = Field(default=60, gt=0)
    stuck_seconds: float = Field(default=300, gt=0)
    ahead_seconds: float = Field(default=120, gt=0)
    most_open: int = Field(default=64, ge=1, le=1000)
    chunk_size: int = Field(default=500, ge=1, le=500)
    probe_seconds: float = Field(default=30, gt=0)
    dns_server: str = ""
    mx_lookups: bool = True
    soft_bounces: int = Field(default=5, ge=2, le=100)
    audit_days: int = Field(default=400, ge=1)
    append_unsubscribe: bool = True
    batch_size: int = Field(default=0, ge=0, le=10_000_000)
    batch_minutes: int = Field(default=60, ge=1, le=10_080)
    notify_secret: str = Field(default="", repr=False)
    notify_private: bool = False
    forecast_rate: float = Field(default=200.0, gt=0)

    @field_validator("notify_secret")
    @classmethod
    def _a_secret(cls, value: str) -> str:
        try:
            key = b64decode(value.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError("what follows whsec_ is base64") from error
        if value and not (value.startswith("whsec_") and 24 <= len(key) <= 64):
            raise ValueError("whsec_ and 24 to 64 bytes in base64")
        return value

    @property
    def batch(self) -> Batch | None:
        """The batch of mailings that name none."""
        return Batch(size=self.batch_size, minutes=self.batch_minutes) if self.batch_size else None
