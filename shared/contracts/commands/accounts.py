"""SMTP accounts and their secrets."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from shared.contracts.account import AccountLimits, ProviderLimits, TlsMode, WarmUp
from shared.contracts.commands.base import Command, Id, Name, Query
from shared.contracts.commands.domains import DomainName

ProviderName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,15}$")]


class _Account(Command):
    name: Name
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: int = Field(ge=1, le=65535)
    tls: TlsMode = "starttls"
    username: str = ""
    senders: list[str] = Field(min_length=1)
    connections: int = Field(default=10, ge=1, le=200)
    limits: AccountLimits = AccountLimits()
    providers: dict[ProviderName, ProviderLimits] = Field(default={}, max_length=100)
    warm_up: WarmUp | None = None
    bounce_domain: DomainName | Literal[""] = ""


class AddAccount(_Account):
    """Add an SMTP account. The password is sealed into SECRETS and appears nowhere else."""

    NAME: ClassVar[str] = "account.add"

    password: str = ""


class EditAccount(_Account):
    """Replace an account as a whole; without `password` it keeps the one it has. Limits hold at once, everywhere."""

    NAME: ClassVar[str] = "account.edit"

    account: Id
    password: str | None = None


class TestAccount(Command):
    """Let a sender connect, do TLS and AUTH and, with `to`, deliver a test mail."""

    NAME: ClassVar[str] = "account.test"
    __test__: ClassVar[bool] = False

    account: Id
    to: str = ""


class ResealSecrets(Command):
    """Seal all passwords and signing keys with the first key of the ring, once every service has it."""

    NAME: ClassVar[str] = "keys.reseal"


class Preflight(Query):
    """What providers look at -> {verdict, checks: [{name, about, state, detail, remedy}]}."""

    NAME: ClassVar[str] = "account.preflight"

    account: Id


class Accounts(Query):
    """All SMTP accounts -> {accounts: [...]}."""

    NAME: ClassVar[str] = "account.list"
