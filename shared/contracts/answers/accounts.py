"""Answers about SMTP accounts."""

from shared.contracts.account import Limits
from shared.contracts.answers.base import Data


class AccountDone(Data):
    """The account."""

    account: str


class AccountTried(AccountDone):
    """What the sender saw."""

    working: bool
    detail: str
    tls: str
    extensions: list[str]


class AccountRow(Data):
    """One account, without its secrets."""

    account: str
    name: str
    host: str
    port: int
    tls: str
    username: str
    senders: list[str]
    connections: int
    limits: Limits
    bounce_domain: str
    tested: bool
    working: bool
    detail: str


class AccountRows(Data):
    """All accounts."""

    accounts: list[AccountRow]


class Resealed(Data):
    """Which accounts' passwords and signing keys were sealed anew, and which open with no key any more."""

    active: str
    resealed: list[str]
    closed: list[str]
