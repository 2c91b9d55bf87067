"""Answers about people and tokens, and the audit of what they asked for."""

from shared.contracts.answers.base import Data
from shared.contracts.principals import Permission


class TokenIssued(Data):
    """The token: its id, and the secret that proves it, which is shown here and stored nowhere."""

    token: str
    secret: str


class TokenDone(Data):
    """The token."""

    token: str


class TokenRow(Data):
    """One token; `expires_at` is null where it does not expire."""

    token: str
    name: str
    permissions: list[Permission]
    expires_at: str | None
    expired: bool


class TokenRows(Data):
    """All tokens."""

    tokens: list[TokenRow]


class UserDone(Data):
    """The person."""

    user: str


class UserRow(Data):
    """One person."""

    user: str
    name: str
    email: str
    permissions: list[Permission]


class UserRows(Data):
    """All people."""

    users: list[UserRow]


class SessionOpened(UserDone):
    """The session, to be shown like a token until it expires."""

    session: str
    name: str
    permissions: list[Permission]
    expires_at: str


class AuditRow(Data):
    """One command, whatever came of it: `outcome` is `ok` or the code of the refusal."""

    at: str
    principal: str
    command: str
    about: str
    via: str
    remote: str
    outcome: str
    position: int


class AuditPage(Data):
    """Who asked for what, newest first."""

    rows: list[AuditRow]
    next: str
