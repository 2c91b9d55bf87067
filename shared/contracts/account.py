"""Events of an SMTP account (`evt.account.<id>`, written by the planner)."""

from datetime import date
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from shared.contracts.envelope import DomainEvent

TlsMode = Literal["starttls", "implicit", "none"]


PERIODS = {"per_second": 1.0, "per_minute": 60.0, "per_hour": 3600.0, "per_day": 86_400.0}
"""Field of a limit -> its period in seconds."""


class Limits(BaseModel):
    """Rate limits of a mailing; None means no limit.

    Attributes:
        per_hour: Mails in any hour.
        seconds_between: Least time between one mail and the next, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_hour: int | None = Field(default=None, ge=1, le=100_000_000)
    seconds_between: float | None = Field(default=None, gt=0, le=86_400)

    def windows(self) -> list[tuple[int, float]]:
        """Return how many mails may go out in which period, one pair for each limit that is set."""
        given = vars(self)
        return [(most, period) for name, period in PERIODS.items() if (most := given.get(name)) is not None]


class AccountLimits(Limits):
    """Limits of an account, over all its mailings, lanes and senders; None means no limit.

    Attributes:
        per_second: Mails in any second.
        per_minute: Mails in any minute.
        per_day: Mails in any 24 hours, spread over them.
        messages: Mails over one connection; then it is closed and another one opened.
    """

    per_second: int | None = Field(default=None, ge=1, le=100_000)
    per_minute: int | None = Field(default=None, ge=1, le=10_000_000)
    per_day: int | None = Field(default=None, ge=1, le=1_000_000_000)
    messages: int | None = Field(default=None, ge=1, le=1_000_000)


class ProviderLimits(AccountLimits):
    """Limits of what goes to one mailbox provider through one account; None: what holds otherwise.

    Attributes:
        connections: Connections of its lane at a time, over all senders.
    """

    connections: int | None = Field(default=None, ge=1, le=200)


class WarmUp(BaseModel):
    """A new account sends a few mails first, more from day to day.

    Attributes:
        starts_on: Day 1, as days are counted in UTC.
        per_day: Day -> mails in any 24 hours; a day that is missing is as the last one before. After the last day the
            ramp is over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts_on: date
    per_day: dict[int, int] = Field(min_length=1, max_length=400)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if min(self.per_day) < 1 or max(self.per_day) > 10_000 or min(self.per_day.values()) < 1:
            raise ValueError("days and mails are counted from 1")
        return self

    def limit(self, today: date) -> int | None:
        """Return how many mails may go out on this day, None once the ramp is over."""
        day = max((today - self.starts_on).days + 1, min(self.per_day))
        if day > max(self.per_day):
            return None
        return self.per_day[max(known for known in self.per_day if known <= day)]


class AccountSettings(DomainEvent):
    """What is known of an SMTP account. The password stays in SECRETS under the account's id.

    Attributes:
        connections: Connections at a time, over all lanes and senders.
        providers: Limits for single mailbox providers, by name, instead of those of the table.
        bounce_domain: Where mail that comes back goes, each to a return path of its own; "" means to the sender.
    """

    name: str
    host: str
    port: int
    tls: TlsMode = "starttls"
    username: str = ""
    senders: list[str]
    connections: int = 10
    limits: AccountLimits = AccountLimits()
    providers: dict[str, ProviderLimits] = {}
    warm_up: WarmUp | None = None
    bounce_domain: str = ""


def limits_on(account: AccountSettings, today: date) -> AccountLimits:
    """Return the limits of an account on a day: its own, and the warm-up's where that is lower."""
    ramp = account.warm_up.limit(today) if account.warm_up else None
    if ramp is None:
        return account.limits
    return account.limits.model_copy(update={"per_day": min(ramp, account.limits.per_day or ramp)})


class AccountAdded(AccountSettings):
    """An SMTP account can be used once it is tested."""

    TYPE: ClassVar[str] = "account.added/1"


class AccountEdited(AccountSettings):
    """All of it was replaced. Where host, TLS or credentials changed it is to be tested anew before the next mailing.

    Attributes:
        password_changed: The password in SECRETS is another one.
    """

    TYPE: ClassVar[str] = "account.edited/1"

    password_changed: bool = False


class AccountTested(DomainEvent):
    """A sender connected, did TLS and AUTH and, where an address was given, delivered a test mail."""

    TYPE: ClassVar[str] = "account.tested/1"

    working: bool
    detail: str
    tls: str = ""
    extensions: list[str] = []


EVENTS = (AccountAdded, AccountEdited, AccountTested)
