"""The mailbox that mail comes back to: added once, edited at any time, read by trackers until it is removed.

Pure. Rules:
1. A mailbox is added once; its folders differ from each other, and what was read never moves into one that is read.
2. A password is never sent in clear: without TLS it is accepted for the loopback host only.
3. Where server, TLS, user or password changed, the last test says nothing any more.
4. A command repeated emits nothing; a test is an observation and is recorded each time.
5. A removed mailbox never comes back: another one is added.
"""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.mailbox import MailboxAdded, MailboxEdited, MailboxRemoved, MailboxSettings, MailboxTested

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

_UNKNOWN = Refusal(code="mailbox_unknown", message="There is no such mailbox.", field="mailbox")


class Mailbox(BaseModel):
    """State of one mailbox; `settings` is None while there is none, `tested` before its first test."""

    model_config = ConfigDict(frozen=True)

    settings: MailboxSettings | None = None
    tested: MailboxTested | None = None
    removed: bool = False

    @property
    def there(self) -> MailboxSettings | None:
        """Its settings, None where there is none or none any more."""
        return None if self.removed else self.settings


@dataclass(frozen=True, slots=True)
class Add:
    """Add it as `added` says."""

    added: MailboxAdded


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace it as `edited` says."""

    edited: MailboxEdited


@dataclass(frozen=True, slots=True)
class RecordTest:
    """Keep what a tracker saw."""

    tested: MailboxTested


@dataclass(frozen=True, slots=True)
class Remove:
    """Read it no more."""


class MailboxDecider:
    """Decider of one mailbox."""

    def initial(self) -> Mailbox:
        """Return the state before the first event."""
        return Mailbox()

    def evolve(self, state: Mailbox, event: DomainEvent) -> Mailbox:
        """Fold one event."""
        match event:
            case MailboxAdded():
                return Mailbox(settings=_settings(event))
            case MailboxEdited():
                tested = None if _elsewhere(state, event) else state.tested
                return state.model_copy(update={"settings": _settings(event), "tested": tested})
            case MailboxTested():
                return state.model_copy(update={"tested": event})
            case MailboxRemoved():
                return state.model_copy(update={"removed": True})
            case _:
                raise TypeError(f"{event.TYPE} is no event of a mailbox")

    def decide(self, state: Mailbox, command: Add | Edit | RecordTest | Remove) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        match command:
            case Add(added=wanted):
                if state.settings is None:
                    return problem(wanted) or [wanted]
                same = state.settings == _settings(wanted)
                return [] if same else Refusal(code="mailbox_exists", message="It was already added.")
            case Remove():
                if state.settings is None:
                    return _UNKNOWN
                return [] if state.removed else [MailboxRemoved()]
            case _ if state.there is None:
                return _UNKNOWN
            case RecordTest(tested=tested):
                return [tested]
            case Edit(edited=wanted):
                if state.settings == _settings(wanted) and not wanted.password_changed:
                    return []
                return problem(wanted) or [wanted]


def problem(wanted: MailboxSettings) -> Refusal | None:
    """Return what is wrong with a mailbox to be added, None where nothing is."""
    if any(c in wanted.host for c in " \t\r\n/@"):
        return Refusal(code="host_invalid", message=f"{wanted.host!r} is no host name.", field="host")
    if wanted.security == "none" and wanted.host.lower() not in LOOPBACK:
        return Refusal(
            code="password_in_clear",
            message="Without TLS the password would go over the wire in clear: choose tls or starttls.",
            field="security",
        )
    if len({_folded(folder) for folder in wanted.folders}) < len(wanted.folders):
        return Refusal(code="folder_invalid", message="A folder stands there twice.", field="folders")
    if wanted.sent and _folded(wanted.sent) in map(_folded, [*wanted.folders, wanted.target]):
        message = "What people of ours sent is in a folder of its own, not in one that is read for answers."
        return Refusal(code="folder_invalid", message=message, field="sent")
    if wanted.target and _folded(wanted.target) in map(_folded, wanted.folders):
        message = "What was read cannot be moved into a folder that is read: choose another one."
        return Refusal(code="folder_invalid", message=message, field="target")
    return None


def _folded(folder: str) -> str:
    """Return a folder's name so that the same folder compares equal: INBOX alone has no case (RFC 9051)."""
    return "INBOX" if folder.upper() == "INBOX" else folder


def _settings(event: MailboxSettings) -> MailboxSettings:
    return MailboxSettings.model_validate(event.model_dump(exclude={"password_changed"}))


def _elsewhere(state: Mailbox, event: MailboxEdited) -> bool:
    """Tell whether what a test found out no longer holds."""
    place = ("host", "port", "security", "username", "folders", "target")
    return event.password_changed or any(getattr(state.settings, name) != getattr(event, name) for name in place)
