"""Consent: every act of every address, and the act that holds for each (address key, scope): the last in the log.

An act told twice (same event id) counts once, and an old one told again never wins over a newer one.
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert, insert_new
from services.reporting.mailing import millis
from shared.bulk import Row
from shared.contracts.consent import AddressSuppressed, OptedIn, OptedOut, SuppressionLifted
from shared.contracts.envelope import Commit, EventRecord

_STATE = Upsert(
    tables.consent_states,
    ("address_key", "scope", "act", "seq", "at"),
    {"act": "replace", "seq": "replace", "at": "replace"},
)
ACTS = {
    OptedOut.TYPE: "opted_out",
    OptedIn.TYPE: "opted_in",
    AddressSuppressed.TYPE: "suppressed",
    SuppressionLifted.TYPE: "lifted",
}


class ConsentView:
    """The view, as the projector runs it."""

    name = "consent"
    version = 1
    tables: ClassVar = [tables.consent_acts, tables.consent_states]
    handles = frozenset(ACTS)

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Write the acts that are new, and what holds after them."""
        acts: dict[str, dict[str, Any]] = {}
        for commit in commits:
            for record in commit.events:
                if record.event.TYPE in ACTS:
                    acts.setdefault(record.id, _act(record))
        new = await insert_new(conn, tables.consent_acts, list(acts.values()))
        states: dict[tuple[str, str], Row] = {}
        for fact, act in acts.items():
            if (fact,) in new:
                key = (act["address_key"], act["scope"])
                states[key] = (*key, act["act"], act["seq"], act["at"])
        await _STATE.run(conn, list(states.values()))


def _act(record: EventRecord) -> dict[str, Any]:
    event: Any = record.event
    return {
        "id": record.id,
        "seq": record.seq,
        "address_key": event.address_key,
        "scope": event.scope,
        "act": ACTS[event.TYPE],
        "how": getattr(event, "how", ""),
        "mailing": getattr(event, "mailing", ""),
        "n": getattr(event, "n", None),
        "idx": getattr(event, "index", None),
        "comment": getattr(event, "comment", ""),
        "reason": getattr(event, "reason", ""),
        "principal": record.principal,
        "at": millis(record.time),
    }
