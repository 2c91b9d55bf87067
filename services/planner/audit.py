"""Who asked for what, when, by which way and from where, and what came of it: one row for each command.

Rows are written after the answer is known, for commands that were done, refused or forbidden alike, and kept for
`audit_days`. Network addresses stand here and nowhere else. A planner that dies between the event and its row leaves
the event, which names the principal as well.
"""

import re
from datetime import timedelta

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.facts import millis
from services.planner.parts import Parts
from services.planner.principals.administration import user_id
from services.planner.schema import METADATA
from shared import clock
from shared.contracts import commands
from shared.contracts.api import ENDPOINTS
from shared.contracts.commands import Answer, Refusal
from shared.database import reading
from shared.instants import from_millis
from shared.keys import KeyRing
from shared.messaging.answers import Asked

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("at", BigInteger, nullable=False),
    Column("principal", String(100), nullable=False),
    Column("command", String(100), nullable=False),
    Column("about", String(100), nullable=False),
    Column("via", String(10), nullable=False),
    Column("remote", String(100), nullable=False),
    Column("outcome", String(100), nullable=False),
    Column("position", BigInteger, nullable=False),
    Index("audit_by_time", "at"),
)

_BATCH = 1000
_SEQ = re.compile(r"[0-9]{1,18}")
_ID = re.compile(r"[a-z0-9]{1,24}")
_NAMED = {endpoint.name: re.findall(r"{(\w+)}", endpoint.path) for endpoint in ENDPOINTS}


class Audit:
    """Writes the rows."""

    def __init__(self, engine: AsyncEngine, keys: KeyRing) -> None:
        self._engine = engine
        self._keys = keys

    async def record(self, asked: Asked, answer: Answer) -> None:
        """Note a command and what came of it."""
        row = {
            "at": millis(clock.now()),
            "principal": asked.principal.id if asked.principal else "",
            "command": asked.name,
            "about": self._about(asked, answer),
            "via": asked.via,
            "remote": asked.remote[:100],
            "outcome": answer.refusal.code if answer.refusal else "ok",
            "position": answer.position,
        }
        async with self._engine.begin() as conn:
            await conn.execute(insert(AUDIT).values(row))

    def _about(self, asked: Asked, answer: Answer) -> str:
        """Return the id of what it was about: named in the request, or in the answer that made it."""
        noun = asked.name.partition(".")[0]
        if isinstance(email := asked.data.get("email"), str) and email.isprintable():
            return user_id(self._keys, email)
        for field in (*_NAMED[asked.name], noun):
            for data in (asked.data, answer.data):
                if _ID.fullmatch(found := str(data.get(field, ""))):  # nothing else gets in: it may be anything
                    return found
        return ""


async def trail(parts: Parts, wanted: commands.AuditTrail) -> Answer | Refusal:
    """List the audit, newest first."""
    a = AUDIT.c
    query = select(AUDIT).order_by(a.id.desc()).limit(wanted.limit)
    if wanted.after:
        if not _SEQ.fullmatch(wanted.after):
            return Refusal(code="invalid", message="Give `next` of the page before, as it came.", field="after")
        query = query.where(a.id < min(int(wanted.after), 2**63 - 1))
    if wanted.principal:
        query = query.where(a.principal == wanted.principal)
    if wanted.command:
        query = query.where(a.command == wanted.command)
    async with reading(parts.engine).connect() as conn:
        found = [dict(row._mapping) for row in await conn.execute(query)]  # noqa: SLF001 - public
    after = str(found[-1]["id"]) if len(found) == wanted.limit else ""
    rows = [{name: value for name, value in row.items() if name != "id"} for row in found]
    for row in rows:
        row["at"] = from_millis(row["at"]).isoformat()
    return Answer(ok=True, data={"rows": rows, "next": after})


async def forget(engine: AsyncEngine, days: int) -> None:
    """Delete rows older than `days`, a batch in each transaction."""
    a = AUDIT.c
    before = millis(clock.now() - timedelta(days=days))
    while True:
        async with engine.begin() as conn:
            last = (await conn.execute(select(func.max(a.id)).where(a.at < before))).scalar()
            oldest = (await conn.execute(select(func.min(a.id)))).scalar()
            if last is None or oldest is None or oldest > last:
                return
            await conn.execute(delete(AUDIT).where(a.id < min(oldest + _BATCH, last + 1)))
