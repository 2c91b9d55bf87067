"""Mailboxes that mail comes back to, and their secrets."""

from datetime import date
from typing import Annotated, ClassVar

from pydantic import Field, StringConstraints

from shared.contracts.commands.base import Command, Id, Name, Query, Secret
from shared.contracts.mailbox import Security

Folder = Annotated[str, StringConstraints(min_length=1, max_length=250, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Mailbox(Command):
    name: Name
    host: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    port: int = Field(default=993, ge=1, le=65_535)
    security: Security = "tls"
    username: Annotated[str, StringConstraints(min_length=1, max_length=320)]
    folders: list[Folder] = Field(default=["INBOX"], min_length=1, max_length=20)
    since: date | None = None
    target: Folder | Annotated[str, StringConstraints(max_length=0)] = ""
    interval: int = Field(default=300, ge=5, le=86_400)
    sent: Folder | Annotated[str, StringConstraints(max_length=0)] = ""


class AddMailbox(_Mailbox):
    """Read a mailbox from now on. The password is sealed into SECRETS and appears nowhere else."""

    NAME: ClassVar[str] = "mailbox.add"

    password: Secret


class EditMailbox(_Mailbox):
    """Replace a mailbox as a whole; without `password` it keeps the one it has."""

    NAME: ClassVar[str] = "mailbox.edit"

    mailbox: Id
    password: Annotated[str, StringConstraints(max_length=300)] | None = Field(default=None, repr=False)


class TestMailbox(Command):
    """Let a tracker log in and look for the folders. A good test ends a pause, and the mailbox is read at once."""

    NAME: ClassVar[str] = "mailbox.test"
    __test__: ClassVar[bool] = False

    mailbox: Id


class RemoveMailbox(Command):
    """Read it no more, and forget its password. What came of it stays."""

    NAME: ClassVar[str] = "mailbox.remove"

    mailbox: Id


class Mailboxes(Query):
    """All mailboxes, and how reading them stands -> {mailboxes: [...]}."""

    NAME: ClassVar[str] = "mailbox.list"
