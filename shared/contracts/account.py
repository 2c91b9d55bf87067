"""Events of an SMTP account (`evt.account.<id>`, written by the planner)."""

from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.envelope import DomainEvent

TlsMode = Literal["starttls", "implicit", "none"]


class Limits(BaseModel):
    """Rate limits of an account or a mailing; None means no limit.

    Attributes:
        per_hour: Mails in any hour.
        seconds_between: Least time between one mail and the next, in seconds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    per_hour: int | None = Field(default=None, ge=1, le=100_000_000)
    seconds_between: float | None = Field(default=None, gt=0, le=86_400)


class AccountAdded(DomainEvent):
    """An SMTP account can be used once it is tested. The password stays in SECRETS under the account's id.

    Attributes:
        bounce_domain: Where mail that comes back goes, each to a return path of its own; "" means to the sender.
    """

    TYPE: ClassVar[str] = "account.added/1"

    name: str
    host: str
    port: int
    tls: TlsMode = "starttls"
    username: str = ""
    senders: list[str]
    connections: int = 10
    limits: Limits = Limits()
    bounce_domain: str = ""


class AccountTested(DomainEvent):
    """A sender connected, did TLS and AUTH and, where an address was given, delivered a test mail."""

    TYPE: ClassVar[str] = "account.tested/1"

    working: bool
    detail: str
    tls: str = ""
    extensions: list[str] = []


EVENTS = (AccountAdded, AccountTested)
