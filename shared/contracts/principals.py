"""Who may do what: a principal is a person, a program with a token, or a NATS user; a permission is what it asks for.

Permissions are those a campaign module needs (view, create, edit, delete, add and remove recipients, approve, send) and
`administer` for accounts, principals and repair. None implies another: what a principal has is listed in full.
"""

from dataclasses import dataclass
from typing import Literal, get_args

Permission = Literal[
    "view", "create", "edit", "delete", "add_recipient", "remove_recipient", "approve", "send", "administer"
]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)
Kind = Literal["user", "token", "nats"]


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks.

    Attributes:
        id: Stands in subjects and events: the NATS user's name, or the id of a token or user; never a person's name.
        kind: How it proves itself.
        permissions: All it may do.
    """

    id: str
    kind: Kind
    permissions: frozenset[Permission]

    def may(self, permission: Permission) -> bool:
        """Tell whether it has `permission`."""
        return permission in self.permissions


NATS_USERS: dict[str, frozenset[Permission]] = {
    "operator": frozenset(PERMISSIONS),
    "producer": frozenset({"view", "create", "edit", "add_recipient", "send"}),
    "planner": frozenset(),
    "sender": frozenset(),
    "tracker": frozenset(),
    "reporting": frozenset(),
}
"""What each NATS user may ask for; the services ask nothing of each other by commands. deploy/permissions.py lets each
speak in its own name only."""
