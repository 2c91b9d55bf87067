"""The same command twice is done once: principal and idempotency key stand for one command for good (G12).

The body's digest is noted before the command is carried out, its answer after. The same key and body get the stored
answer; where a crash left none the command is carried out again under the same command id, which the log knows. The
same key with another body is refused. Refusals that pass by themselves are not stored, nor are answers that hold a
secret: those are carried out again each time. The digest is keyed, for a body may hold a password, which could be
guessed from it.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import BigInteger, Column, String, Table, Text, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import millis
from services.planner.schema import METADATA, insert
from shared import clock
from shared.contracts.commands import Answer, Refusal
from shared.contracts.envelope import Origin
from shared.ids import derived_id, new_id
from shared.keys import KeyRing
from shared.messaging.answers import Caller

REQUESTS = Table(
    "requests",
    METADATA,
    Column("principal", String(100), primary_key=True),
    Column("key", String(100), primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("answer", Text),
    Column("at", BigInteger, nullable=False),
)
PASSING = frozenset({"no_sender", "unavailable", "internal", "unknown_outcome"})


@dataclass(frozen=True, slots=True)
class Act:
    """One command being carried out: whose it is, and the ids that belong to it."""

    principal: str
    key: str
    command_id: str

    def new_id(self, kind: str) -> str:
        """Return the id of what the command creates: always the same for the same principal and key."""
        return derived_id(self.principal, self.key, kind) if self.key else new_id()

    def origin(self, correlation: str = "") -> Origin:
        """Return the origin of the commit it causes."""
        return Origin(self.command_id, "planner", clock.now(), correlation_id=correlation, principal=self.principal)


Execute = Callable[[Act], Awaitable[Answer | Refusal]]


async def once(
    engine: AsyncEngine, keys: KeyRing, caller: Caller, execute: Execute, *, keep: bool = True
) -> Answer | Refusal:
    """Carry out a command unless it was carried out before; return its answer, which is stored if `keep` says so."""
    principal, key = caller.principal, caller.key
    if not key:
        return await execute(Act(principal, "", new_id(20)))
    r, keyed = REQUESTS.c, keys.fingerprint("request", caller.digest)
    mine = (r.principal == principal) & (r.key == key)
    async with engine.begin() as conn:
        row = {"principal": principal, "key": key, "digest": keyed, "at": millis(clock.now())}
        await conn.execute(insert(conn, REQUESTS).values(row).on_conflict_do_nothing())
        digest, answer = (await conn.execute(select(r.digest, r.answer).where(mine))).one()
    if digest not in (keyed, caller.digest):  # rows of older versions hold the plain one
        return Refusal(code="idempotency_key_reused", message="This key was used for another request.", field="key")
    if answer is not None:
        return Answer.model_validate_json(answer)
    result = await execute(Act(principal, key, derived_id(principal, key, "command", length=20)))
    given = Answer(ok=False, refusal=result) if isinstance(result, Refusal) else result
    if (keep or given.refusal) and (given.refusal is None or given.refusal.code not in PASSING):
        async with engine.begin() as conn:
            await conn.execute(update(REQUESTS).where(mine).values(answer=given.model_dump_json()))
    return result
