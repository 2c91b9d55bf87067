"""Where everything lands that comes back: read, proven, recorded; whatever the way in (file, IMAP, LMTP, webhook).

`take` gets a whole mail, `tell` what a provider said whose signature was checked. Both return once the facts are in the
log or in the spool, and raise `NotKeptError` where neither took them; the same mail or event again is the same fact.
Nothing is ever answered, so no loop can begin here. What is no feedback (a newsletter, a letter) is not recorded. A
mail to the mailbox of `List-Unsubscribe` is an opt-out, as far as a token of ours proves it.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from services.tracker import metrics
from services.tracker.acts import By
from services.tracker.acts import entry_of as opt_out_of
from services.tracker.feedback.clues import Proof, verify
from services.tracker.feedback.leaving import REPORTS, leaving
from services.tracker.feedback.reading import read
from services.tracker.feedback.report import Report
from services.tracker.feedback.written import Written, written
from services.tracker.forms import Act
from services.tracker.payloads import Payloads
from services.tracker.recorder import NotKeptError, Recorder
from services.tracker.returns import Returned, entry_of
from shared.clock import now
from shared.eventlog.errors import UnavailableError
from shared.keys import KeyRing
from shared.tokens import RecipientToken, UnsubscribeToken

AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a mail.

    Attributes:
        proof: The mail of ours that it is about, None where no token proves one.
        facts: How many facts were recorded; none where it is no feedback.
    """

    report: Report
    proof: Proof | None
    facts: int


class Desk:
    """Takes what came back, for one tracker process."""

    def __init__(self, key_ring: KeyRing, recorder: Recorder, payloads: Payloads | None = None) -> None:
        self._key_ring = key_ring
        self._recorder = recorder
        self._payloads = payloads or Payloads()

    async def take(self, raw: bytes, source: str, *, sent: bool = False) -> Taken:
        """Read a mail and record what it says; `sent`: it is one that a person of ours sent.

        Raises:
            NotKeptError: Neither log nor spool took it: to be handed in again.
        """
        report, words, leaves = await asyncio.to_thread(self._read, raw)
        proof = verify(report.clues, self._key_ring)
        if leaves is not None and not sent and (facts := await self._let_go(leaves, report.clues.digest)):
            return Taken(report, proof, facts)
        return Taken(report, proof, await self._record(Returned(report, source, proof, written=words, sent=sent)))

    async def tell(self, reports: Sequence[Report], source: str) -> None:
        """Record what a provider said; its signature was checked, so it is proven even where no token is.

        Raises:
            NotKeptError: Neither log nor spool took all of it: to be told again.
        """
        told = [Returned(each, source, verify(each.clues, self._key_ring), provider=True) for each in reports]
        for start in range(0, len(told), AT_ONCE):
            await asyncio.gather(*(self._record(each) for each in told[start : start + AT_ONCE]))

    async def _record(self, returned: Returned) -> int:
        entry = entry_of(returned, now(), self._key_ring.address_key)
        if entry is not None:
            await self._recorder.record(entry)
        kind = "answer-sent" if returned.sent else returned.report.kind
        metrics.FEEDBACK.labels(kind, "yes" if returned.proof is not None else "no").inc()
        return entry.facts if entry is not None else 0

    async def _let_go(self, leaves: UnsubscribeToken | RecipientToken, digest: str) -> int:
        """Record an opt-out; return how many facts that is, none where nobody knows any more whose mail it was."""
        if isinstance(leaves, UnsubscribeToken):
            whom: tuple[str, tuple[str, ...]] | None = (leaves.address_key, leaves.scope)
        else:
            try:
                whom = await self._payloads.who(leaves)
            except UnavailableError as error:  # the mail is handed in again
                raise NotKeptError(str(error)) from error
        if whom is None:
            return 0
        by = By(whom[0], leaves.mailing, leaves.n, leaves.index)
        entry = opt_out_of(by, Act("out", whom[1], how="mailto"), now(), cause=digest)
        await self._recorder.record(entry)
        metrics.FEEDBACK.labels("opt-out", "yes").inc()
        return entry.facts

    def _read(self, raw: bytes) -> tuple[Report, Written | None, UnsubscribeToken | RecipientToken | None]:
        report = read(raw)
        leaves = None if report.kind in REPORTS else leaving(raw, self._key_ring)
        return report, written(raw) if report.kind in ("reply", "auto-reply") else None, leaves
