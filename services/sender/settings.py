"""Settings of the sender."""

from pathlib import Path

from pydantic import Field, model_validator

from services.sender.shaping.rules import rules
from shared.settings import Settings


class SenderSettings(Settings):
    """What the sender needs beside the common settings.

    Attributes:
        ack_wait: Seconds after which a silent worker's job goes to another; a claim is valid as long.
        window: Most recipients one connection has claimed at once.
        retry_first: Seconds until the first retry of a deferred recipient; each further wait is twice as long.
        retry_longest: Longest wait between two tries, in seconds.
        shaping_rules: File of shaping rules that are tried before the built-in ones (shaping/shaping.toml).
        journal_dir: Folder of the local journals, shared by all senders of a machine; default in the data folder.
        hostname: What the sender calls itself in EHLO; "" is the machine's name.
        trust_seconds: For so long a sender that starts waits for the planner's word that the log is the one it knows;
            after that its own memory decides. 0 does not ask.
        relay_patience: Share of the time-outs of RFC 5321 that relays get. Below 1 it makes duplicates: for tests only.
        drain: Seconds that SIGTERM leaves for open dots (compose and Kubernetes grant one minute more).
    """

    ack_wait: float = Field(default=15.0, ge=2.0, le=600.0)
    window: int = Field(default=50, ge=1, le=500)
    retry_first: float = Field(default=300.0, gt=0)
    retry_longest: float = Field(default=14_400.0, gt=0)
    shaping_rules: Path | None = None
    journal_dir: Path | None = None
    hostname: str = ""
    relay_patience: float = Field(default=1.0, gt=0, le=1.0)
    drain: float = Field(default=600.0, gt=0)
    trust_seconds: float = Field(default=30.0, ge=0)

    @model_validator(mode="after")
    def _coherent(self) -> "SenderSettings":
        if self.retry_longest < self.retry_first:
            raise ValueError("POSTHASTE_RETRY_LONGEST is shorter than POSTHASTE_RETRY_FIRST")
        try:
            rules(self.shaping_rules)
        except (OSError, ValueError) as error:  # refused at the start, not at the first reply
            raise ValueError(f"POSTHASTE_SHAPING_RULES: {error}") from error
        return self
