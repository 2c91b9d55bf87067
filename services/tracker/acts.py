"""Consent acts as they stand in the log: one commit for each, one event for each of its scopes. Pure.

The id of a commit derives from who did what by which mail and when: a repeat within a few seconds is the same act.
"""

from dataclasses import dataclass
from datetime import datetime

from services.tracker.entries import Entry, Note
from services.tracker.forms import Act
from shared.contracts import subjects
from shared.contracts.consent import OptedIn, OptedOut
from shared.contracts.envelope import Origin
from shared.ids import derived_id

REPEAT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class By:
    """Whose address it is about, and which mail led to it."""

    address_key: str
    mailing: str
    n: int
    index: int


def entry_of(by: By, act: Act, at: datetime, words: str = "", *, cause: str = "") -> Entry:
    """Return what goes into the log for an act.

    Args:
        by: Who acts.
        act: What is asked for.
        at: When.
        words: The key of what the person had read.
        cause: What makes a repeat the same act instead of the moment: the digest of a mail.
    """
    moment = cause or str(int(at.timestamp()) // REPEAT_SECONDS)
    whom = f"{by.mailing}.{by.n}.{by.index}.{by.address_key}.{'+'.join(act.scope)}"
    command_id = derived_id("consent", whom, act.kind, act.how, act.page, moment, length=20)
    note = Note(derived_id("note", command_id, length=20), act.comment) if act.comment else None
    mail = {"mailing": by.mailing, "n": by.n, "index": by.index}
    common = {"address_key": by.address_key, "how": act.how, "words": words, **mail}
    events: tuple[OptedOut | OptedIn, ...]
    if act.kind == "out":
        out = {**common, "comment": note.key if note else "", "reason": act.reason}
        events = tuple(OptedOut.model_validate({**out, "scope": scope}) for scope in act.scope)
    else:
        events = tuple(OptedIn.model_validate({**common, "scope": scope}) for scope in act.scope)
    return Entry(
        subject=subjects.consent(subjects.partition(by.address_key)),
        events=events,
        origin=Origin(command_id=command_id, source="tracker", time=at, correlation_id=by.mailing),
        note=note,
        precious=True,
        facts=len(events) if cause else 1,
    )
