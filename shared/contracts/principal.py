"""Events of a principal (`evt.principal.<id>`, written by the planner), and where it stands after them.

Neither a name nor an address nor anything secret is in them: those are in the bucket PRINCIPALS under
`<id>.<record>`, and the events say which record holds. Planner and reporting fold the same events, so both know at once
who may do what and which sessions have ended.
"""

from datetime import datetime, timedelta
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict

from shared.contracts.envelope import DomainEvent
from shared.contracts.principals import Permission

SESSION_LIFETIME = timedelta(hours=12)


class PrincipalAdded(DomainEvent):
    """A person or a token may do something from now on; again after it was revoked."""

    TYPE: ClassVar[str] = "principal.added/1"

    kind: Literal["user", "token"]
    permissions: list[Permission]
    record: str
    expires_at: datetime | None = None


class PermissionsChanged(DomainEvent):
    """It may do these things and no others; its sessions end."""

    TYPE: ClassVar[str] = "principal.permissions_changed/1"

    permissions: list[Permission]


class PasswordChanged(DomainEvent):
    """Another record holds; the sessions end."""

    TYPE: ClassVar[str] = "principal.password_changed/1"

    record: str


class SessionClosed(DomainEvent):
    """One session ended before its time."""

    TYPE: ClassVar[str] = "principal.session_closed/1"

    session: str
    expires_at: datetime


class PrincipalRevoked(DomainEvent):
    """It may do nothing any more; name, address and verifier are erased."""

    TYPE: ClassVar[str] = "principal.revoked/1"


EVENTS = (PrincipalAdded, PermissionsChanged, PasswordChanged, SessionClosed, PrincipalRevoked)


class Standing(BaseModel):
    """Where a principal stands.

    Attributes:
        active: It was added and not revoked since.
        record: The record in PRINCIPALS that holds its name and verifier.
        epoch: Sessions of another epoch have ended.
        closed: Sessions that were closed, until when they would have lasted.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["user", "token"] = "token"
    active: bool = False
    permissions: frozenset[Permission] = frozenset()
    record: str = ""
    expires_at: datetime | None = None
    epoch: int = 0
    closed: dict[str, datetime] = {}

    def holds(self, now: datetime) -> bool:
        """Tell whether it may be used now."""
        return self.active and (self.expires_at is None or now < self.expires_at)


def evolve(state: Standing, event: DomainEvent) -> Standing:
    """Fold one event."""
    match event:
        case PrincipalAdded():
            return Standing(
                kind=event.kind,
                active=True,
                permissions=frozenset(event.permissions),
                record=event.record,
                expires_at=event.expires_at,
                epoch=state.epoch + 1,
            )
        case PermissionsChanged():
            change = {"permissions": frozenset(event.permissions), "epoch": state.epoch + 1, "closed": {}}
        case PasswordChanged():
            change = {"record": event.record, "epoch": state.epoch + 1, "closed": {}}
        case SessionClosed():
            began = event.expires_at - SESSION_LIFETIME  # what had ended by then needs no mark any more
            closed = {session: end for session, end in state.closed.items() if end > began}
            change = {"closed": closed | {event.session: event.expires_at}}
        case PrincipalRevoked():
            change = {"active": False, "permissions": frozenset(), "epoch": state.epoch + 1, "closed": {}}
        case _:
            raise TypeError(f"{event.TYPE} is no event of a principal")
    return state.model_copy(update=change)
