"""The principal: a person or a token that may do something.

Pure. Rules:
1. It is added once. A person who was removed may be added again; a token that was revoked never comes back.
2. A token may do something, and expires in the future, if ever.
3. Only a person has permissions that change, a password and sessions; whoever was removed is unknown.
4. A session is closed once; what ended by time or by another epoch needs no closing.
5. A command repeated emits nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from shared.contracts import principal
from shared.contracts.commands import Refusal
from shared.contracts.envelope import DomainEvent
from shared.contracts.principal import (
    PasswordChanged,
    PermissionsChanged,
    PrincipalAdded,
    PrincipalRevoked,
    SessionClosed,
    Standing,
)
from shared.contracts.principals import PERMISSIONS, Permission


@dataclass(frozen=True, slots=True)
class Add:
    """Add it as `added` says, at the instant `at`."""

    added: PrincipalAdded
    at: datetime


@dataclass(frozen=True, slots=True)
class SetPermissions:
    """Let a person do these things and no others."""

    permissions: list[Permission]


@dataclass(frozen=True, slots=True)
class SetPassword:
    """Let the password of `record` hold."""

    record: str


@dataclass(frozen=True, slots=True)
class Close:
    """Close the session `session` of `epoch` at the instant `at`."""

    session: str
    epoch: int
    expires_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True)
class Revoke:
    """Let it do nothing any more."""

    kind: Literal["user", "token"]


REVOKED = Refusal(code="token_revoked", message="This token was revoked: issue another one.")

Command = Add | SetPermissions | SetPassword | Close | Revoke


def ordered(permissions: Iterable[Permission]) -> list[Permission]:
    """Return each permission once, in the order in which they are always written."""
    wanted = set(permissions)
    return [permission for permission in PERMISSIONS if permission in wanted]


def unknown(kind: Literal["user", "token"]) -> Refusal:
    """Return what is said where there is none of that id."""
    return Refusal(code=f"{kind}_unknown", message=f"There is no such {kind}.", field=kind)


class PrincipalDecider:
    """Decider of one principal."""

    def initial(self) -> Standing:
        """Return the state before the first event."""
        return Standing()

    def evolve(self, state: Standing, event: DomainEvent) -> Standing:
        """Fold one event."""
        return principal.evolve(state, event)

    def decide(self, state: Standing, command: Command) -> list[DomainEvent] | Refusal:
        """Return the events of `command`, or why it must not be."""
        match command:
            case Add():
                return _added(state, command)
            case Revoke():
                if not state.epoch or state.kind != command.kind:
                    return unknown(command.kind)
                return [PrincipalRevoked()] if state.active else []
        if not state.active or state.kind != "user":
            return unknown("user")
        match command:
            case SetPermissions():
                same = set(command.permissions) == state.permissions
                return [] if same else [PermissionsChanged(permissions=ordered(command.permissions))]
            case SetPassword():
                return [] if command.record == state.record else [PasswordChanged(record=command.record)]
            case Close():
                ended = command.at >= command.expires_at or command.epoch != state.epoch
                if ended or command.session in state.closed:
                    return []
                return [SessionClosed(session=command.session, expires_at=command.expires_at)]


def _added(state: Standing, command: Add) -> list[DomainEvent] | Refusal:
    wanted = command.added
    if state.active:
        same = (state.kind, state.record) == (wanted.kind, wanted.record)
        return [] if same else Refusal(code="user_exists", message="This address is a user already.", field="email")
    if wanted.kind == "token":
        if state.epoch:
            return REVOKED
        if not wanted.permissions:
            message = "A token without permissions can do nothing."
            return Refusal(code="permissions_missing", message=message, field="permissions")
        if wanted.expires_at is not None and wanted.expires_at <= command.at:
            return Refusal(code="expires_in_past", message="It would have expired already.", field="expires_at")
    return [wanted.model_copy(update={"permissions": ordered(wanted.permissions)})]
