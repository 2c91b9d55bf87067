"""Answers about recurring mailings."""

from shared.contracts.answers.base import Data
from shared.contracts.commands.mailings import DraftMailing
from shared.contracts.mailing_settings import LateRule, SendingHours
from shared.contracts.series import Rhythm
from shared.contracts.sources import Sources


class SeriesDone(Data):
    """The recurring mailing, and when it comes round next ("" for never)."""

    series: str
    next_at: str


class SeriesRow(SeriesDone):
    """One recurring mailing: what it makes, and what came of it so far."""

    campaign: str
    name: str
    rhythm: Rhythm
    hours: SendingHours | None
    deadline_minutes: int | None
    late: LateRule
    only_new: bool
    made: int
    skipped: int
    last_at: str
    last_mailing: str
    last_reason: str
    stopped: bool
    reason: str


class SeriesTime(Data):
    """What became of one time: the mailing that was made, which `waits` for somebody to start it, or why none was."""

    at: str
    mailing: str
    waits: bool
    reason: str


class SeriesShown(SeriesRow):
    """One of them with all that it makes, and what became of its last times, newest first."""

    draft: DraftMailing
    sources: Sources | None
    times: list[SeriesTime]


class SeriesRows(Data):
    """All recurring mailings, those that go on first."""

    series: list[SeriesRow]
