"""Answers about the whole: the log, what is parked, views, what is under way."""

from typing import Any, Literal

from shared.contracts.answers.base import Data, Page, Paused


class LogRow(Data):
    """One thing that happened."""

    seq: int
    place: int
    at: str
    text: str
    type: str
    principal: str
    mailing: str
    campaign: str


class LogPage(Page):
    """What happened, newest first."""

    rows: list[LogRow]


class FeedEventRow(Data):
    """One event, as it stands on `subject` in OUT; docs/asyncapi.json has the data of each type."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]


class FeedPage(Data):
    """Events in order; `cursor` is the `after` of the next question, `end` says that there was no more."""

    events: list[FeedEventRow]
    cursor: str
    end: bool


class ParkedRow(Data):
    """One pointer to a message that nobody could handle."""

    seq: int
    at: str
    service: str
    role: str
    stream: str
    message: int
    reason: str


class ParkedPage(Data):
    """Pointers to parked messages."""

    rows: list[ParkedRow]
    next: str


class Redriven(Data):
    """The pointer that is gone; `dropped` where nothing was handed back."""

    seq: int
    dropped: bool


class ViewRow(Data):
    """One view: how far it is."""

    name: str
    version: int
    state: str
    reason: str | None
    failed_seq: int | None
    position: int
    lag: int


class ViewRows(Paused):
    """All views, and where the log ends."""

    views: list[ViewRow]
    end: int
    directory: int


class ProviderHourRow(Data):
    """Replies of one provider to mail of one account within one hour, and how often it was slowed or suspended."""

    account: str
    provider: str
    hour: str
    accepted: int
    deferred: int
    rejected: int
    slowed: int
    suspended: int


class ProviderHourRows(Paused):
    """Hours, newest first."""

    rows: list[ProviderHourRow]


class Counts(Data):
    """What is under way: chunks and mailings by where they stand."""

    chunks: dict[str, int]
    oldest_seconds: float
    mailings: dict[str, int]


class Trust(Data):
    """Whether the log is the one that everybody remembers; `why` names who remembers another."""

    trusted: bool
    incarnation: str
    why: dict[str, str]


class Resumed(Data):
    """Mailings that go on, and why others stay paused."""

    incarnation: str
    resumed: list[str]
    left: dict[str, str]
