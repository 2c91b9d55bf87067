"""The ledger of a mailing: planned = accepted + rejected + skipped + expired + cancelled + in doubt (+ pending). Pure.

In go the log's events of the mailing in order, then the lines of its AUDIENCE object; out comes a `Report` that names
every recipient in no or in two final states, and every difference between plan and audience, with (n, index, contact):
it balances, or it says where not (G10).
It knows no database and shares none with the views it checks. A recipient costs five bytes, whatever its history.

Rules
* A final outcome after another one is a conflict; in doubt is not final: a resend, evidence or a decision may end it.
* An outcome that a relay gave needs a claim before it; a claim after a final outcome is a conflict.
* Once the mailing is completed, whoever is pending is a gap, unless a decision has the mail sent again; until then it
  is counted as pending.
* A cancelled mailing cancels whoever was never planned.
"""

import zlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from shared.contracts import mailing, outcomes
from shared.contracts.consent import OptedOut
from shared.contracts.engagement import HitsRecorded
from shared.contracts.envelope import DomainEvent, EventRecord
from shared.contracts.feedback import EVENTS as FEEDBACK
from shared.contracts.feedback import sign_of
from shared.contracts.outcomes import IN_DOUBT, NAMES, OUTCOME
from shared.contracts.ranges import unpack
from shared.contracts.sending import ChunkPlanned, RecipientsClaimed, RecipientsSettled

MOST_GAPS = 1000

_NAMED = 0b0000_1000  # stands in the audience
_CONFLICT = 0b0001_0000
_CLAIMED = 0b0010_0000
_DECIDED = 0b0100_0000  # by an operator, and the sender's word on it is still to come
_SETTLED = OUTCOME | _CLAIMED | _DECIDED
_OPEN = (outcomes.PENDING, outcomes.DEFERRED)
_UNTRIED = frozenset({"released", "skipped", "expired", "cancelled"})


@dataclass(frozen=True, slots=True)
class Gap:
    """One recipient, or (n = -1) the mailing as a whole, that does not balance."""

    n: int
    index: int
    contact: str
    why: str


@dataclass
class Report:
    """What the ledger says of the log up to `position`. `gaps` holds the first thousand of `gap_count`."""

    planned: int = 0
    totals: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    evidence: int = 0
    left_out: dict[str, int] = field(default_factory=dict)
    completed: bool = False
    gaps: list[Gap] = field(default_factory=list)
    gap_count: int = 0
    position: int = 0

    @property
    def balanced(self) -> bool:
        """Everybody is in exactly one state, and the sum is what was planned."""
        return not self.gap_count and self.planned == sum(self.totals.values()) + self.pending

    def gap(self, gap: Gap) -> None:
        """Name a gap."""
        self.gap_count += 1
        if len(self.gaps) < MOST_GAPS:
            self.gaps.append(gap)


class Ledger:
    """The fold. `add` takes the log, `name` the audience, `close` gives the report."""

    def __init__(self, mailing_id: str) -> None:
        self.mailing = mailing_id
        self.frozen: mailing.AudienceFrozen | None = None
        self.first_plan = 0
        self._over = ""
        self._chunks: dict[int, bytearray] = {}
        self._contacts: dict[int, array[int]] = {}
        self._conflicts: dict[tuple[int, int], str] = {}
        self._report = Report()
        self._named = 0
        self._unplanned = 0

    @property
    def in_doubt(self) -> bool:
        """Whether evidence matters: somebody is in doubt."""
        return any(outcomes.tally(states)[IN_DOUBT] for states in self._chunks.values())

    def add(self, record: EventRecord) -> None:
        """Take an event of the log in; those of other mailings change nothing."""
        step = _STEPS.get(type(record.event))
        if step is not None:
            step(self, record, record.event)

    def plan(self, seq: int, event: ChunkPlanned) -> None:
        """Take the plan of a chunk in."""
        if event.n in self._chunks:
            self._report.gap(Gap(event.n, -1, "", f"planned a second time at seq {seq}"))
            return
        self.first_plan = self.first_plan or seq
        self._chunks[event.n] = bytearray(len(event.contacts))
        self._contacts[event.n] = array("I", [zlib.crc32(contact.encode()) for contact in event.contacts])

    def claim(self, n: int, indexes: list[int]) -> None:
        """Take a claim in."""
        states = self._states(n, indexes)
        for index in indexes:
            byte = states[index]
            if byte & OUTCOME not in outcomes.UNSETTLED:
                self._conflict(n, index, f"{NAMES[byte & OUTCOME]}, then claimed again")
            states[index] |= _CLAIMED

    def settle(self, n: int, indexes: list[int], outcome: str) -> None:
        """Take a settled group in."""
        code, tried = outcomes.CODES[outcome], outcome not in _UNTRIED
        states = self._states(n, indexes)
        for index in indexes:
            byte = states[index]
            old = byte & OUTCOME
            if old not in outcomes.UNSETTLED:
                if old != code or not byte & _DECIDED:
                    self._conflict(n, index, f"{NAMES[old]}, then {outcome}")
            elif tried and old != IN_DOUBT and not byte & _CLAIMED:
                self._conflict(n, index, f"{outcome} without a claim")
            kept = ~(OUTCOME | _CLAIMED) if code in _OPEN or old not in outcomes.UNSETTLED else ~_SETTLED
            states[index] = states[index] & kept | code

    def decide(self, n: int, indexes: list[int], decision: str) -> None:
        """Take an operator's decision in."""
        states = self._states(n, indexes)
        moved = [index for index in indexes if states[index] & OUTCOME == IN_DOUBT]
        outcomes.decide(states, moved, decision)
        for index in moved:
            states[index] |= _DECIDED

    def sign(self, mailing_id: str, n: int, index: int) -> None:
        """Take a sign of life in."""
        if mailing_id == self.mailing and n in self._chunks:
            outcomes.evidence(self._chunks[n], index)

    def end(self, how: str) -> None:
        """Note that the mailing is completed, cancelled, or ("") goes on."""
        self._over = how

    def name(self, contact: str, n: int, index: int) -> None:
        """Take one recipient of the audience in, after the log."""
        self._named += 1
        states = self._chunks.get(n)
        if states is None:
            self._unplanned += 1
            if self._over == "completed":
                self._report.gap(Gap(n, index, contact, "in the audience, but never planned"))
            return
        if index >= len(states) or self._contacts[n][index] != zlib.crc32(contact.encode()):
            self._report.gap(Gap(n, index, contact, "in the audience, but its place was planned for somebody else"))
            return
        byte = states[index]
        if byte & _NAMED:
            self._report.gap(Gap(n, index, contact, "twice in the audience"))
        states[index] = byte | _NAMED
        if byte & _CONFLICT:
            self._report.gap(Gap(n, index, contact, self._conflicts.pop((n, index))))
        elif byte & OUTCOME in _OPEN and self._over == "completed" and not byte & _DECIDED:
            self._report.gap(Gap(n, index, contact, f"{NAMES[byte & OUTCOME]}, though the mailing is completed"))

    def wrong(self, why: str) -> None:
        """Name a gap of the mailing as a whole."""
        self._report.gap(Gap(-1, -1, "", why))

    def close(self) -> Report:
        """Return the report."""
        report, counts = self._report, [0] * 8
        for n, states in self._chunks.items():
            for code, count in enumerate(outcomes.tally(states)):
                counts[code] += count
            report.evidence += outcomes.by_evidence(states)
            for index, byte in enumerate(states) if self._named else ():
                if not byte & _NAMED:
                    report.gap(Gap(n, index, "", "planned, but not in the audience"))
        for (n, index), why in self._conflicts.items():
            report.gap(Gap(n, index, "", why))
        pending = sum(counts[code] for code in _OPEN)
        report.totals = {name: counts[code] for code, name in enumerate(NAMES) if code not in _OPEN}
        report.planned = self.frozen.recipients if self.frozen else 0
        report.left_out = self.frozen.skipped if self.frozen else {}
        report.completed = self._over == "completed"
        unplanned = self._unplanned if self._named else max(0, report.planned - pending - sum(report.totals.values()))
        if self._over == "cancelled":
            report.totals["cancelled"] += unplanned
        else:
            pending += unplanned
        report.pending = pending
        if report.planned != (total := pending + sum(report.totals.values())):
            self.wrong(f"{report.planned} recipients were planned for, {total} are accounted for")
        return report

    def _states(self, n: int, indexes: list[int]) -> bytearray:
        """Return the chunk's bytes, grown where the log speaks of recipients that were never planned."""
        states = self._chunks.setdefault(n, bytearray())
        contacts = self._contacts.setdefault(n, array("I"))
        highest = max(indexes, default=-1)
        if highest >= len(states):
            for index in range(len(states), highest + 1):
                self._conflicts[n, index] = "in the log, but never planned"
            missing = highest + 1 - len(states)
            states += bytes([_CONFLICT]) * missing
            contacts.extend([0] * missing)
        return states

    def _conflict(self, n: int, index: int, why: str) -> None:
        self._chunks[n][index] |= _CONFLICT
        self._conflicts.setdefault((n, index), why)


def _n(record: EventRecord) -> int:
    return int(record.subject.rpartition(".")[2])


def _frozen(ledger: Ledger, _record: EventRecord, event: mailing.AudienceFrozen) -> None:
    ledger.frozen = event


def _settled(ledger: Ledger, record: EventRecord, event: RecipientsSettled) -> None:
    for group in event.groups:
        ledger.settle(_n(record), unpack(group.indexes), group.outcome)


def _hits(ledger: Ledger, _record: EventRecord, event: HitsRecorded) -> None:
    for hit in event.hits:
        ledger.sign(hit.mailing, hit.n, hit.index)


def _opted_out(ledger: Ledger, _record: EventRecord, event: OptedOut) -> None:
    if event.n is not None and event.index is not None:
        ledger.sign(event.mailing, event.n, event.index)


def _came_back(ledger: Ledger, _record: EventRecord, event: Any) -> None:  # noqa: ANN401 - one of four events
    if sign_of(event):
        ledger.sign(event.mailing, event.n, event.index)


_STEPS: dict[type[DomainEvent], Callable[[Ledger, EventRecord, Any], None]] = {
    mailing.AudienceFrozen: _frozen,
    **dict.fromkeys(
        (mailing.MailingEdited, mailing.SourcesChosen, mailing.RecipientAdded, mailing.RecipientRemoved),
        lambda ledger, _, __: setattr(ledger, "frozen", None),
    ),
    mailing.MailingCompleted: lambda ledger, _, __: ledger.end("completed"),
    mailing.MailingCancelled: lambda ledger, _, __: ledger.end("cancelled"),
    mailing.MailingResumed: lambda ledger, _, __: ledger.end(""),
    mailing.DoubtDecided: lambda ledger, _, event: ledger.decide(event.n, unpack(event.indexes), event.decision),
    ChunkPlanned: lambda ledger, record, event: ledger.plan(record.seq, event),
    RecipientsClaimed: lambda ledger, record, event: ledger.claim(_n(record), unpack(event.indexes)),
    RecipientsSettled: _settled,
    HitsRecorded: _hits,
    OptedOut: _opted_out,
    **dict.fromkeys(FEEDBACK, _came_back),
}
