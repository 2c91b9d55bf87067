"""Which limits hold for a mail just now: of its account, of its provider in this account, of its mailing. Pure.

A provider's limits are merged: default, provider, account. What slows a provider down for a time comes last and only
ever lowers them. A domain that is no provider's has the default limits for itself. Scopes are spelled here alone; the
name of a domain is not written into them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b

from shared.contracts.account import AccountLimits, AccountSettings, Limits, ProviderLimits, limits_on
from shared.contracts.subjects import REST
from shared.providers import DEFAULT, Providers

SlowDowns = Callable[[str, str], Sequence[ProviderLimits]]
"""Account and provider -> limits that hold for a time, each lowering what holds otherwise."""


def none(_account: str, _provider: str) -> Sequence[ProviderLimits]:
    """Nothing is slowed down."""
    return ()


def lowered(limits: ProviderLimits, by: Iterable[ProviderLimits]) -> ProviderLimits:
    """Return `limits`, each as low as the lowest of `by`; the longest pause between mails."""
    for each in by:
        given = each.model_dump(exclude_none=True)
        known = limits.model_dump(exclude_none=True)
        pick = {
            name: (max if name == "seconds_between" else min)(value, known.get(name, value))
            for name, value in given.items()
        }
        limits = limits.model_copy(update=pick)
    return limits


@dataclass(frozen=True, slots=True)
class Rules:
    """What is known of providers, and what slows them down now."""

    providers: Providers
    slow_downs: SlowDowns = none

    def provider(self, domain: str) -> str:
        """Return the provider of a domain, its own name where it is nobody's."""
        return self.providers.of_domain(domain) or domain

    def of_account(self, account: AccountSettings, today: date) -> AccountLimits:
        """Return the limits of an account on a day."""
        return limits_on(account, today)

    def of_provider(self, account_id: str, account: AccountSettings, provider: str) -> ProviderLimits:
        """Return the limits of a provider or a single domain in an account, now."""
        base = self.providers.limits(provider, account.providers.get(provider, account.providers.get(DEFAULT)))
        return lowered(base, self.slow_downs(account_id, provider))

    def slow(self, account_id: str, account: AccountSettings, names: Iterable[str]) -> dict[str, ProviderLimits]:
        """Return those of the providers and domains whose rate is limited now, with their limits."""
        known = self.providers.table.keys() | account.providers.keys()
        if limited(self.of_provider(account_id, account, "")):
            known |= set(names)
        may_be = [name for name in names if name in known or self.slow_downs(account_id, name)]
        found = {name: self.of_provider(account_id, account, name) for name in may_be}
        return {name: limits for name, limits in found.items() if limited(limits)}

    def connections(self, account_id: str, account: AccountSettings, lane: str) -> int:
        """Return how many connections a lane may have at a time."""
        most = None if lane == REST else self.of_provider(account_id, account, lane).connections
        return min(account.connections, most or account.connections)

    def messages(self, account_id: str, account: AccountSettings, lane: str) -> int | None:
        """Return how many mails may go over one connection of a lane, None where nothing limits them."""
        found = [account.limits.messages]
        if lane != REST:
            found.append(self.of_provider(account_id, account, lane).messages)
        return min((each for each in found if each is not None), default=None)


def account_scope(account_id: str) -> str:
    """Key of an account."""
    return f"account.{account_id}"


def provider_scope(account_id: str, provider: str) -> str:
    """Key of a provider or a domain in an account."""
    name = blake2b(provider.encode(), digest_size=8).hexdigest() if "." in provider else provider
    return f"provider.{account_id}.{name}"


def mailing_scope(mailing: str) -> str:
    """Key of a mailing."""
    return f"mailing.{mailing}"


@dataclass(frozen=True, slots=True)
class Bunch:
    """Recipients that the same limits hold for; `provider` is "" where no provider limits them."""

    provider: str
    indexes: list[int]


def bunch(indexes: Sequence[int], provider_of: Callable[[int], str], most: int) -> Bunch | None:
    """Return up to `most` recipients to pace together: the first one, and all after it with the same provider."""
    if not indexes:
        return None
    provider = provider_of(indexes[0])
    return Bunch(provider, [index for index in indexes if provider_of(index) == provider][:most])


def limited(limits: Limits) -> bool:
    """Tell whether anything limits the rate."""
    return bool(limits.windows() or limits.seconds_between)
