"""Who may ask for what: tokens, people, sessions, and the trail of what they did."""

from typing import ClassVar

from pydantic import AwareDatetime, Field

from shared.contracts.commands.base import Command, Id, Name, Page, Password, Query, Secret
from shared.contracts.principals import Permission


class IssueToken(Command):
    """Issue a token for a program. It is in the answer and nowhere else; the same key gives it once more."""

    NAME: ClassVar[str] = "token.issue"

    name: Name
    permissions: list[Permission] = Field(min_length=1)
    expires_at: AwareDatetime | None = None


class RevokeToken(Command):
    """Let a token prove nothing any more, at once."""

    NAME: ClassVar[str] = "token.revoke"

    token: Id


class AddUser(Command):
    """Add a person who signs in by e-mail address and password."""

    NAME: ClassVar[str] = "user.add"

    name: Name
    email: str
    password: Password
    permissions: list[Permission] = []


class ChangePermissions(Command):
    """Replace what a person may do; the sessions of that person end."""

    NAME: ClassVar[str] = "user.permissions"

    user: Id
    permissions: list[Permission]


class SetPassword(Command):
    """Give a person another password; the sessions of that person end."""

    NAME: ClassVar[str] = "user.password"

    user: Id
    password: Password


class RemoveUser(Command):
    """Remove a person: nothing is allowed any more, name, address and password are erased."""

    NAME: ClassVar[str] = "user.remove"

    user: Id


class ChangePassword(Command):
    """Change one's own password; all own sessions end."""

    NAME: ClassVar[str] = "password.change"

    current: Secret
    password: Password


class OpenSession(Command):
    """Sign in. It carries no idempotency key: each time is another session."""

    NAME: ClassVar[str] = "session.open"

    email: str = Field(max_length=254)
    password: Secret


class CloseSession(Command):
    """Sign out: end this one session, which whoever has it may."""

    NAME: ClassVar[str] = "session.close"

    session: Secret


class Tokens(Query):
    """All tokens, those that are revoked left out -> {tokens: [{token, name, permissions, expires_at, expired}]}."""

    NAME: ClassVar[str] = "token.list"


class Users(Query):
    """All people -> {users: [{user, name, email, permissions}]}."""

    NAME: ClassVar[str] = "user.list"


class AuditTrail(Page):
    """Who asked for what, newest first -> {rows, next}; each command has a row, whatever came of it.

    Attributes:
        principal: Only what this one asked for.
        command: Only commands of this name.
    """

    NAME: ClassVar[str] = "audit"

    principal: str = Field(default="", pattern=r"^[a-z0-9]{0,24}$")
    command: str = Field(default="", pattern=r"^[a-z.]{0,50}$")
