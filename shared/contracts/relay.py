"""What the senders learnt of an account's relay (`evt.relay.<account>`, written by the sender)."""

from typing import ClassVar

from shared.contracts.envelope import DomainEvent


class AccountPaused(DomainEvent):
    """The relay refuses us as a whole (AUTH, TLS, 5xx greeting): nothing goes out until it tests well again."""

    TYPE: ClassVar[str] = "relay.account_paused/1"

    reason: str


class AccountReleased(DomainEvent):
    """The account may be used again; `cause` is the id of the event that says so."""

    TYPE: ClassVar[str] = "relay.account_released/1"

    cause: str = ""


EVENTS = (AccountPaused, AccountReleased)
