"""What the senders learnt of an account's relay (`evt.relay.<account>`, written by the sender).

A provider is the name of a large one (`shared.providers`), or `rest` for all others; `""` is the account as a
whole. Slow-downs and suspensions end by themselves: how fast one may be just now is a function of event and time.
"""

from datetime import datetime, timedelta
from math import ceil, log2
from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.envelope import DomainEvent

EVERYTHING = ""
"""The provider of what concerns the account as a whole."""


class AccountPaused(DomainEvent):
    """The relay refuses us as a whole (AUTH, TLS, 5xx greeting, listed): nothing goes out until it tests well."""

    TYPE: ClassVar[str] = "relay.account_paused/1"

    reason: str


class AccountReleased(DomainEvent):
    """The account may be used again; `cause` is the id of the event that says so."""

    TYPE: ClassVar[str] = "relay.account_released/1"

    cause: str = ""


class ProviderSlowed(DomainEvent):
    """A provider wants less from us: it gets `per_hour`, twice that after each `step`, all of it from `full` on.

    Attributes:
        rule: Name of the shaping rule that asked for it.
        per_hour: Mails an hour from `since` on.
        full: Mails an hour at which the slow-down is over: what went out before it.
        step: Seconds after which the rate doubles, as long as nothing more is heard.
    """

    TYPE: ClassVar[str] = "relay.provider_slowed/1"

    provider: str
    rule: str
    since: datetime
    per_hour: int = Field(ge=1)
    full: int = Field(ge=1)
    step: float = Field(gt=0)

    @property
    def until(self) -> datetime:
        """When it is over, if nothing more is heard."""
        doublings = max(0, ceil(log2(self.full / self.per_hour)))
        return self.since + timedelta(seconds=self.step * doublings)

    def rate(self, now: datetime) -> int | None:
        """Return the mails an hour that it may be at `now`, None where the slow-down is over."""
        steps = max(0, int((now - self.since).total_seconds() // self.step))
        rate = self.per_hour << min(steps, 40)
        return rate if rate < self.full else None


class ProviderSuspended(DomainEvent):
    """Nothing goes to this provider (`""`: over this account) before `until`."""

    TYPE: ClassVar[str] = "relay.provider_suspended/1"

    provider: str
    rule: str
    since: datetime
    until: datetime


class ProviderReleased(DomainEvent):
    """A slow-down or suspension is over: by time, or by a good test (`cause` is the id of its event)."""

    TYPE: ClassVar[str] = "relay.provider_released/1"

    provider: str
    what: Literal["slowed", "suspended"]
    cause: str = ""


EVENTS = (AccountPaused, AccountReleased, ProviderSlowed, ProviderSuspended, ProviderReleased)
