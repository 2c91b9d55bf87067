"""Answers about SMTP accounts."""

from typing import Literal

from shared.contracts.account import AccountLimits, ProviderLimits, WarmUp
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


class SlowedRow(Data):
    """A provider that gets less for a time: `per_hour` just now, everything again at `until` if nothing is heard."""

    provider: str
    rule: str
    since: str
    per_hour: int
    until: str


class SuspendedRow(Data):
    """A provider ("": the whole account) that gets nothing before `until`."""

    provider: str
    rule: str
    since: str
    until: str


class AccountRow(Data):
    """One account, without its secrets. `paused`: why nothing goes out over it, until a test is good."""

    account: str
    name: str
    host: str
    port: int
    tls: str
    username: str
    senders: list[str]
    connections: int
    limits: AccountLimits
    providers: dict[str, ProviderLimits]
    warm_up: WarmUp | None
    per_day_now: int | None
    bounce_domain: str
    tested: bool
    working: bool
    detail: str
    paused: str
    slowed: list[SlowedRow]
    suspended: list[SuspendedRow]


class AccountRows(Data):
    """All accounts."""

    accounts: list[AccountRow]


class CheckRow(Data):
    """One check of an account or of a domain it sends as: `about` is that domain, "" for the account."""

    name: str
    about: str
    state: Literal["good", "warning", "bad", "unknown"]
    detail: str
    remedy: str


class PreflightDone(AccountDone):
    """All checks; the verdict is the worst of them."""

    verdict: Literal["good", "warning", "bad", "unknown"]
    checks: list[CheckRow]


class Resealed(Data):
    """Which accounts' passwords and signing keys were sealed anew, and which open with no key any more."""

    active: str
    resealed: list[str]
    closed: list[str]
