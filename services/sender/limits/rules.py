"""Which limits hold for providers of an account, and how the scopes of rates are spelled. Pure.

A provider's limits are merged: default, provider, account. What slows a provider down for a time is a scope of its own
beside these (slowing.py), so it only ever lowers a rate.
"""

from dataclasses import dataclass, field

from services.sender.limits.domains import DomainLimit
from services.sender.limits.spacing import spacing
from shared.contracts.account import AccountSettings, Limits, ProviderLimits
from shared.contracts.subjects import PROMPT, REST
from shared.providers import DEFAULT, DOMAIN, Providers

_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Paced:
    """What is paced in an account: providers by name, and each domain of the lane `rest` by itself."""

    account: AccountSettings
    providers: dict[str, ProviderLimits]
    domain: DomainLimit | None


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of providers."""

    providers: Providers
    _paced: dict[int, Paced] = field(default_factory=dict)

    def of_provider(self, account: AccountSettings, provider: str) -> ProviderLimits:
        """Return the limits of a provider in an account."""
        return self.providers.limits(provider, account.providers.get(provider))

    def paced(self, account: AccountSettings) -> Paced:
        """Return what is paced in an account; asked at every half-window, so it is kept."""
        kept = self._paced.get(id(account))
        if kept is None or kept.account is not account:
            if len(self._paced) > _KEPT:
                self._paced.clear()
            kept = self._paced[id(account)] = Paced(account, self._limited(account), self._of_domain(account))
        return kept

    def _of_domain(self, account: AccountSettings) -> DomainLimit | None:
        limits = self.of_provider(account, DOMAIN)
        found = DomainLimit(spacing(limits), limits.connections)
        return found if found != DomainLimit(None, None) else None

    def _limited(self, account: AccountSettings) -> dict[str, ProviderLimits]:
        names = (self.providers.table.keys() | account.providers.keys()) - {DEFAULT, DOMAIN}
        found = {name: self.of_provider(account, name) for name in names}
        return {name: limits for name, limits in found.items() if limited(limits)}

    def connections(self, account: AccountSettings, lane: str) -> int:
        """Return how many connections a lane may have at a time."""
        if lane == PROMPT:
            return 1
        most = None if lane == REST else self.of_provider(account, lane).connections
        return min(account.connections, most or account.connections)

    def messages(self, account: AccountSettings, lane: str) -> int:
        """Return how many mails may go over one connection of a lane, 0 where nothing limits them."""
        provider = None if lane in (PROMPT, REST) else self.of_provider(account, lane).messages
        return least(account.limits.messages or 0, provider or 0)


def least(*limits: int) -> int:
    """Return the lowest of several limits, of which 0 means none."""
    return min((each for each in limits if each), default=0)


def limited(limits: Limits) -> bool:
    """Tell whether anything limits the rate."""
    return bool(limits.windows() or limits.seconds_between)


def account_scope(account_id: str) -> str:
    """Key of an account."""
    return f"account.{account_id}"


def provider_scope(account_id: str, provider: str) -> str:
    """Key of a provider in an account."""
    return f"provider.{account_id}.{provider}"


def mailing_scope(mailing: str) -> str:
    """Key of a mailing."""
    return f"mailing.{mailing}"
