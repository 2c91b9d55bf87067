"""Large mailbox providers as data: which domains are theirs, and how they want to be sent to.

The table of this program (providers.toml) under the operator's file of the same form, where there is one
(`POSTHASTE_PROVIDERS_FILE`). A provider named there is added, or its fields are replaced. `default` holds for every
provider that says nothing else, `domain` for each domain by itself that is no provider's.
"""

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, TypeAdapter

from shared.contracts.account import ProviderLimits
from shared.contracts.subjects import PROMPT, REST

DEFAULT = "default"
DOMAIN = "domain"
"""Stands in the table for each domain by itself, of those in the lane `rest` that are no provider's."""
_BUILT_IN = Path(__file__).with_suffix(".toml")


class Provider(ProviderLimits):
    """One provider.

    Attributes:
        domains: Its own domains.
        mx: How the names of its mail exchangers end: a domain whose exchangers are all among them is its, too.
    """

    domains: list[str] = Field(default=[])
    mx: list[str] = Field(default=[])


Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,15}$")]
_TABLE: TypeAdapter[dict[Name, Provider]] = TypeAdapter(dict[Name, Provider])


def merged(*layers: ProviderLimits | None) -> ProviderLimits:
    """Return limits of which a later layer replaces what it sets: default, provider, account."""
    found: dict[str, object] = {}
    for layer in layers:
        if layer is not None:
            found |= layer.model_dump(exclude_none=True, include=set(ProviderLimits.model_fields))
    return ProviderLimits.model_validate(found)


@dataclass(frozen=True, slots=True)
class Providers:
    """The table."""

    table: dict[str, Provider]
    domains: dict[str, str]
    suffixes: dict[str, str]

    @classmethod
    def load(cls, file: Path | None = None) -> "Providers":
        """Read the tables.

        Raises:
            ValueError: The operator's file is not as it should be.
        """
        raw = tomllib.loads(_BUILT_IN.read_text())
        for name, fields in (tomllib.loads(file.read_text()) if file else {}).items():
            raw[name] = raw.get(name, {}) | fields
        table = _TABLE.validate_python(raw)
        domains = {domain: name for name, provider in table.items() for domain in provider.domains}
        return cls(table, domains, {suffix: name for name, provider in table.items() for suffix in provider.mx})

    def of_domain(self, domain: str) -> str:
        """Return the provider of a domain in lower case, "" for all but those of the table."""
        return self.domains.get(domain, "")

    def of_hosts(self, hosts: Iterable[str]) -> str:
        """Return the provider to which all these mail exchangers belong, "" where there is none."""
        found = {self._of_host(host.rstrip(".").lower()) for host in hosts}
        return found.pop() if len(found) == 1 else ""

    def _of_host(self, host: str) -> str:
        labels = host.split(".")
        return next((name for at in range(len(labels)) if (name := self.suffixes.get(".".join(labels[at:])))), "")

    def of_mail(self, lane: str, address: str, known: str = "") -> str:
        """Return whose mail it is: the lane's own provider; in a mixed lane that of the address, else `rest`.

        `known`: what is known of the address from its mail exchangers.
        """
        if lane not in (REST, PROMPT):
            return lane
        return known or self.of_domain(address.rpartition("@")[2].lower()) or REST

    def limits(self, name: str, of_account: ProviderLimits | None = None) -> ProviderLimits:
        """Return the limits of a provider, with those an account sets for it."""
        return merged(self.table.get(DEFAULT) if name != DOMAIN else None, self.table.get(name), of_account)


BUILT_IN = Providers.load()
