"""SMTP accounts and their secrets."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from shared.contracts.account import Limits, TlsMode
from shared.contracts.commands.base import Command, Id, Name, Query
from shared.contracts.commands.domains import DomainName


class AddAccount(Command):
    """Add an SMTP account. The password is sealed into SECRETS and appears nowhere else."""

    NAME: ClassVar[str] = "account.add"

    name: Name
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: int = Field(ge=1, le=65535)
    tls: TlsMode = "starttls"
    username: str = ""
    password: str = ""
    senders: list[str] = Field(min_length=1)
    connections: int = Field(default=10, ge=1, le=200)
    limits: Limits = Limits()
    bounce_domain: DomainName | Literal[""] = ""


class TestAccount(Command):
    """Let a sender connect, do TLS and AUTH and, with `to`, deliver a test mail."""

    NAME: ClassVar[str] = "account.test"
    __test__: ClassVar[bool] = False

    account: Id
    to: str = ""


class ResealSecrets(Command):
    """Seal all SMTP passwords and signing keys with the first key of the ring, once every service has it."""

    NAME: ClassVar[str] = "keys.reseal"


class Preflight(Query):
    """What providers look at -> {verdict, checks: [{name, about, state, detail, remedy}]}."""

    NAME: ClassVar[str] = "account.preflight"

    account: Id


class Accounts(Query):
    """All SMTP accounts -> {accounts: [...]}."""

    NAME: ClassVar[str] = "account.list"
