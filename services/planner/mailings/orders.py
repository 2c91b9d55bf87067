"""What the mailing decider is asked, with every fact its decision needs: who calls it looks the facts up.

They are made by the request handlers and by the process manager; they never travel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from services.planner.accounts.account import Account
from services.planner.mailings.campaign import Campaign
from shared.contracts.account import Limits
from shared.contracts.commands import Start
from shared.contracts.mailing import AudienceFrozen, DryRunFinished, MailingDrafted, TestSent
from shared.contracts.mailing_settings import DoubtDecision, Figures
from shared.contracts.sources import Sources

_ANY = Campaign()
"""One without dates."""


@dataclass(frozen=True, slots=True)
class Draft:
    """Draft or, with `edit`, replace the draft, on the day `today`; `sender` is the From address of its content."""

    drafted: MailingDrafted
    sender: str
    campaign: Campaign
    account: Account
    today: date
    edit: bool = False


@dataclass(frozen=True, slots=True)
class Freeze:
    """Fix the audience that stands in the AUDIENCE object."""

    frozen: AudienceFrozen


@dataclass(frozen=True, slots=True)
class FinishDryRun:
    """Record what a dry run found."""

    finished: DryRunFinished


@dataclass(frozen=True, slots=True)
class Choose:
    """Choose where the audience comes from; `lists` are those of the campaign."""

    sources: Sources
    lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AddRecipients:
    """Let contacts get it as well."""

    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RemoveRecipients:
    """Let contacts not get it."""

    contacts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Schedule:
    """Set the start as asked for at `now`."""

    wanted: Start
    now: datetime
    account: Account
    campaign: Campaign = _ANY


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve of this plan. `second`: whoever asks had no part in it."""

    plan: str
    second: bool


@dataclass(frozen=True, slots=True)
class Unschedule:
    """Withdraw the start."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Do what is due by `now`."""

    now: datetime
    account: Account


@dataclass(frozen=True, slots=True)
class NoteSample:
    """Every recipient of the sample was tried by `now`."""

    now: datetime


@dataclass(frozen=True, slots=True)
class Judge:
    """Choose the version that did best, if it is time at `now`; `figures` by version."""

    now: datetime
    figures: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class ChooseVersion:
    """Choose a version by hand; `figures` by version, as they are then."""

    version: str
    figures: Mapping[str, Figures]


@dataclass(frozen=True, slots=True)
class Pause:
    """Let nothing go out."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on after a pause or a failure."""

    now: datetime
    account: Account


@dataclass(frozen=True, slots=True)
class Cancel:
    """End it."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Rate:
    """Replace the limits."""

    limits: Limits


@dataclass(frozen=True, slots=True)
class Decide:
    """Decide on doubts of chunk `n`.

    Attributes:
        open_doubts: Recipients in doubt on which no decision was made since.
        known: Decisions on this chunk that `open_doubts` takes into account.
    """

    n: int
    indexes: str
    decision: DoubtDecision
    open_doubts: frozenset[int]
    known: int = 0


@dataclass(frozen=True, slots=True)
class Test:
    """Record that a test was planned."""

    sent: TestSent


@dataclass(frozen=True, slots=True)
class Complete:
    """Every chunk is finished, with these totals."""

    totals: dict[str, int]


@dataclass(frozen=True, slots=True)
class Fail:
    """It cannot go on by itself. `resumes`: how often it was resumed when this was seen; once more makes it void."""

    reason: str
    resumes: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Thresholds were passed: pause it. `resumes` as in `Fail`."""

    reason: str
    resumes: int = 0


@dataclass(frozen=True, slots=True)
class Delete:
    """Hide it."""


Command = (
    Draft
    | Freeze
    | FinishDryRun
    | Choose
    | AddRecipients
    | RemoveRecipients
    | Schedule
    | Approve
    | Unschedule
    | Tick
    | NoteSample
    | Judge
    | ChooseVersion
    | Pause
    | Resume
    | Cancel
    | Rate
    | Decide
    | Test
    | Complete
    | Fail
    | Stop
    | Delete
)
