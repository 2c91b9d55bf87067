"""Who gets a mailing: sources, recipients added and removed one by one, lists made from outcomes, what is frozen."""

from typing import ClassVar, Literal

from pydantic import Field

from shared.contracts.commands.base import Command, Id, Name, Page, Query
from shared.contracts.sources import OutcomeGroup, Sources


class ChooseSources(Command):
    """Choose where the audience comes from, as a whole; lists by name or id. It has to be frozen anew."""

    NAME: ClassVar[str] = "mailing.sources"

    mailing: Id
    sources: Sources


class ChosenSources(Query):
    """What was chosen -> {sources, lists: {id: name}, added, removed (contacts)}."""

    NAME: ClassVar[str] = "mailing.sources.show"

    mailing: Id


class AddRecipients(Command):
    """Let these get it as well, by address (new ones become contacts) or contact. It has to be frozen anew."""

    NAME: ClassVar[str] = "mailing.recipients.add"

    mailing: Id
    addresses: list[str] = Field(default=[], max_length=1_000)
    contacts: list[Id] = Field(default=[], max_length=1_000)


class RemoveRecipients(Command):
    """Let these not get it, whatever they are on, by address or contact. It has to be frozen anew."""

    NAME: ClassVar[str] = "mailing.recipients.remove"

    mailing: Id
    addresses: list[str] = Field(default=[], max_length=1_000)
    contacts: list[Id] = Field(default=[], max_length=1_000)


class ListFrom(Command):
    """Put the recipients behind a number of a mailing's report on a list, less those who unsubscribed by it."""

    NAME: ClassVar[str] = "list.from"

    mailing: Id
    group: OutcomeGroup = "sent"
    list: Name


class FreezeAudience(Command):
    """Fix who gets it: one mail per address, a reason for each contact left out."""

    NAME: ClassVar[str] = "mailing.audience"

    mailing: Id


class Audience(Page):
    """The frozen audience -> {rows: [{contact, address, name, lane, n, index, skipped}], next, recipients, skipped}.

    With `search` those with it in address or name.
    """

    NAME: ClassVar[str] = "mailing.audience.list"

    mailing: Id
    only: Literal["all", "recipients", "skipped"] = "all"
    search: str = Field(default="", max_length=200)
