"""The keys that sign mail for a domain."""

from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.commands.base import Command, Query
from shared.contracts.domain import SigningAlgorithm

_LABEL = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
DomainName = Annotated[
    str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=253, pattern=rf"^{_LABEL}(\.{_LABEL})+$")
]
Selector = Annotated[str, StringConstraints(pattern=f"^{_LABEL}$")]


class OfDomainKey(Command):
    """A command about one key: the domain in From (as A-labels), and the selector."""

    domain: DomainName
    selector: Selector


class AddDomainKey(OfDomainKey):
    """Make a key for a domain, or bring one as PEM; it signs once it is told to. The answer holds the DNS record."""

    NAME: ClassVar[str] = "dkim.add"

    algorithm: SigningAlgorithm = "rsa"
    private_key: str = Field(default="", max_length=10_000, repr=False)


class UseDomainKey(OfDomainKey):
    """Sign with it from now on, in place of the key of the same algorithm so far; publish its record before."""

    NAME: ClassVar[str] = "dkim.use"


class RetireDomainKey(OfDomainKey):
    """Sign with it no more; the private key is overwritten when no mail may still need it."""

    NAME: ClassVar[str] = "dkim.retire"


class DomainKeys(Query):
    """All keys that sign, signed or shall sign -> {keys: [...]}."""

    NAME: ClassVar[str] = "dkim.list"
