"""Recurring mailings: a fresh mailing of a campaign each time, from its lists and template as they are then."""

from typing import ClassVar

from pydantic import Field

from shared.contracts.commands.base import Command, Id, Query
from shared.contracts.commands.mailings import DraftMailing
from shared.contracts.mailing_settings import LateRule, SendingHours
from shared.contracts.series import Rhythm
from shared.contracts.sources import Sources


class OpenSeries(Command):
    """Make a mailing of `draft` each time: drafted, its audience frozen, scheduled.

    `hours` as of `mailing.schedule`; `sources` as of `mailing.sources`, all lists of the campaign if missing.
    `only_new`: none where everybody was in the audience of the one before. `late`: of the last one that was missed.
    """

    NAME: ClassVar[str] = "series.open"

    draft: DraftMailing
    rhythm: Rhythm
    hours: SendingHours | None = None
    deadline_minutes: int | None = Field(default=None, ge=1, le=40_320)
    late: LateRule = "send"
    only_new: bool = False
    sources: Sources | None = None


class EditSeries(OpenSeries):
    """Replace it as a whole, for all that comes from now on."""

    NAME: ClassVar[str] = "series.edit"

    series: Id


class StopSeries(Command):
    """Make no more of them; what was made goes out."""

    NAME: ClassVar[str] = "series.stop"

    series: Id


class ShowSeries(Query):
    """One recurring mailing: what it makes, as it was asked for, and what became of its last times, newest first."""

    NAME: ClassVar[str] = "series.show"

    series: Id


class AllSeries(Query):
    """All recurring mailings, with what was made of each and when it comes round next."""

    NAME: ClassVar[str] = "series.list"
