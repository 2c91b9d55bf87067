"""Consent: every act of every address, and the act that holds for each (address key, scope), as contracts say.

An act told twice (same event id) counts once, and an old one told again never wins over a newer one.
"""

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from services.reporting import tables
from services.reporting.bulk import Upsert, insert_new
from services.reporting.mailing import millis
from shared.bulk import Row
from shared.contracts.consent import (
    BLOCKING,
    AddressSuppressed,
    Held,
    OptedIn,
    OptedOut,
    OptInRequested,
    SuppressionLifted,
    after,
    moment,
)
from shared.contracts.envelope import Commit, EventRecord

_STATE = Upsert(
    tables.consent_states,
    ("address_key", "scope", "act", "seq", "at"),
    {"act": "replace", "seq": "replace", "at": "replace"},
)
ACTS = {
    OptedOut.TYPE: "opted_out",
    OptInRequested.TYPE: "opt_in_requested",
    OptedIn.TYPE: "opted_in",
    AddressSuppressed.TYPE: "suppressed",
    SuppressionLifted.TYPE: "lifted",
}
_BLOCKING = frozenset(ACTS[event.TYPE] for event in BLOCKING)
_IN_ONE = 500


class ConsentView:
    """The view, as the projector runs it."""

    name = "consent"
    version = 1
    tables: ClassVar = [tables.consent_acts, tables.consent_states]
    handles = frozenset(ACTS)

    async def apply(self, conn: AsyncConnection, commits: Sequence[Commit]) -> None:
        """Write the acts that are new, and what holds after them."""
        acts: dict[str, dict[str, Any]] = {}
        moments: dict[str, int] = {}
        for commit in commits:
            for record in commit.events:
                if record.event.TYPE in ACTS:
                    acts.setdefault(record.id, _act(record))
                    moments.setdefault(record.id, moment(record.time, record.recorded_at))
        new = await insert_new(conn, tables.consent_acts, list(acts.values()))
        fresh = [act for fact, act in acts.items() if (fact,) in new]
        before = await _states(conn, {act["address_key"] for act in fresh})
        states: dict[tuple[str, str], Row] = {}
        for act in fresh:
            key = (act["address_key"], act["scope"])
            done = Held(act["seq"], moments[act["id"]], act["act"] in _BLOCKING)
            held = after(before.get(key), done)
            before[key] = held
            if held.seq == done.seq:
                states[key] = (*key, act["act"], held.seq, held.at)
        await _STATE.run(conn, list(states.values()))


async def _states(conn: AsyncConnection, address_keys: Collection[str]) -> dict[tuple[str, str], Held]:
    state, keys = tables.consent_states.c, sorted(address_keys)
    found: dict[tuple[str, str], Held] = {}
    for start in range(0, len(keys), _IN_ONE):
        rows = await conn.execute(select(tables.consent_states).where(state.address_key.in_(keys[start:][:_IN_ONE])))
        found |= {(row.address_key, row.scope): Held(row.seq, row.at, row.act in _BLOCKING) for row in rows}
    return found


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
        "words": getattr(event, "words", ""),
        "principal": record.principal,
        "at": millis(record.time),
    }
