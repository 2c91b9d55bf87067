"""The SMTP account: added once, edited at any time, used when a test showed that it works.

Pure. Rules:
1. An account is added once; its sender addresses are valid, and one account never sends as another's.
2. A user name is never sent in clear: without TLS it is accepted for the loopback host only.
3. The last test decides whether it works; before the first one it must not be used.
4. A command repeated emits nothing; a test is an observation and is recorded each time.
5. Where server, TLS, user or password changed it is to be tested anew; what runs goes on.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import BaseModel, ConfigDict

from shared.addresses import AddressError, canonical, parse
from shared.contracts.account import (
    AccountAdded,
    AccountEdited,
    AccountLimits,
    AccountSettings,
    AccountTested,
    limits_on,
)
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.relay import EVERYTHING, ProviderReleased, ProviderSlowed, ProviderSuspended

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Account(BaseModel):
    """State of one account; `added` is None while there is none, `tested` before its first test.

    Attributes:
        slowed: What senders said of providers that get less, by provider; whether it still holds is a matter of time.
        suspended: The same of those that get nothing, "" for the account as a whole.
        held: Why senders hold it: what its relay says against it. Whoever asks puts it in (`Parts.account`).
    """

    model_config = ConfigDict(frozen=True)

    added: AccountSettings | None = None
    tested: AccountTested | None = None
    slowed: dict[str, ProviderSlowed] = {}
    suspended: dict[str, ProviderSuspended] = {}
    held: str = ""

    def shaped(self, event: DomainEvent) -> "Account":
        """Return the account after what a sender said of one of its providers."""
        match event:
            case ProviderSlowed(provider=provider):
                return self.model_copy(update={"slowed": {**self.slowed, provider: event}})
            case ProviderSuspended(provider=provider):
                return self.model_copy(update={"suspended": {**self.suspended, provider: event}})
            case ProviderReleased(provider=provider, what=what):
                left = {name: each for name, each in getattr(self, what).items() if name != provider}
                return self.model_copy(update={what: left})
            case _:
                raise TypeError(f"{event.TYPE} is not about a provider")

    def waits(self, lane: str, now: datetime) -> bool:
        """Tell whether nothing may go out in a lane just now."""
        return any(name in self.suspended and self.suspended[name].until > now for name in (EVERYTHING, lane))

    @property
    def working(self) -> bool:
        """Whether the last test went well."""
        return self.tested is not None and self.tested.working

    def limits_on(self, now: datetime) -> list[AccountLimits]:
        """Return its limits on the day of `now`, none where there is no account."""
        return [] if self.added is None else [limits_on(self.added, now.astimezone(UTC).date())]

    def refusal(self, sender: str | None = None) -> Refusal | None:
        """Return why it must not be used now (to send as `sender`), None if it may."""
        if self.added is None:
            return Refusal(code="account_unknown", message="There is no such account.", field="account")
        if self.tested is None:
            return Refusal(code="account_not_tested", message="Test the account before it is used.", field="account")
        if not self.tested.working:
            message = f"The last test of the account failed: {self.tested.detail}"
            return Refusal(code="account_not_working", message=message, field="account")
        if self.held:
            message = f"Its relay refuses the account: {self.held}. Mend that, then test the account."
            return Refusal(code="account_not_working", message=message, field="account")
        if sender is not None and canonical(sender) not in map(canonical, self.added.senders):
            return Refusal(
                code="sender_not_allowed",
                message=f"The account may send as {', '.join(self.added.senders)} only.",
                field="sender_address",
            )
        return None


@dataclass(frozen=True, slots=True)
class Add:
    """Add it as `added` says."""

    added: AccountAdded


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace it as `edited` says."""

    edited: AccountEdited


@dataclass(frozen=True, slots=True)
class RecordTest:
    """Keep what a sender saw."""

    tested: AccountTested


class AccountDecider:
    """Decider of one account."""

    def initial(self) -> Account:
        """Return the state before the first event."""
        return Account()

    def evolve(self, state: Account, event: DomainEvent) -> Account:
        """Fold one event."""
        match event:
            case AccountAdded():
                return Account(added=_settings(event))
            case AccountEdited():
                return Account(added=_settings(event), tested=None if _elsewhere(state, event) else state.tested)
            case AccountTested():
                return state.model_copy(update={"tested": event})
            case _:
                raise TypeError(f"{event.TYPE} is no event of an account")

    def decide(self, state: Account, command: Add | Edit | RecordTest) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        if isinstance(command, RecordTest):
            if state.added is None:
                return Refusal(code="account_unknown", message="There is no such account.", field="account")
            return [command.tested]
        if isinstance(command, Edit):
            return self._edit(state, command.edited)
        wanted = command.added
        if state.added is not None:
            return (
                []
                if state.added == _settings(wanted)
                else Refusal(code="account_exists", message="It was already added.")
            )
        return problem(wanted) or [wanted]

    def _edit(self, state: Account, wanted: AccountEdited) -> list[DomainEvent] | Refusal:
        if state.added is None:
            return Refusal(code="account_unknown", message="There is no such account.", field="account")
        if state.added == _settings(wanted) and not wanted.password_changed:
            return []
        return problem(wanted) or [wanted]


def _settings(event: AccountSettings) -> AccountSettings:
    return AccountSettings.model_validate(event.model_dump(exclude={"password_changed"}))


def _elsewhere(state: Account, event: AccountEdited) -> bool:
    """Tell whether what a test found out no longer holds."""
    place = ("host", "port", "tls", "username")
    return event.password_changed or any(getattr(state.added, name) != getattr(event, name) for name in place)


def problem(wanted: AccountSettings) -> Refusal | None:
    """Return what is wrong with an account to be added, None where nothing is."""
    if wanted.tls == "none" and wanted.username and wanted.host.lower() not in LOOPBACK:
        return Refusal(
            code="password_in_clear",
            message="Without TLS the password would go over the wire in clear: choose starttls or implicit.",
            field="tls",
        )
    if any(c in wanted.host for c in " \t\r\n/@"):
        return Refusal(code="host_invalid", message=f"{wanted.host!r} is no host name.", field="host")
    for place, sender in enumerate(wanted.senders):
        try:
            parse(sender)
        except AddressError as error:  # refused: the reason names what is wrong with it
            return Refusal(code="address_invalid", message=f"{sender!r}: {error}", field=f"senders.{place}")
    return None
