"""The requests about domains that are not mailed.

In comes the command that blocks a domain or lets it go, out come its row and an event with the keyed hash of the name,
for a domain may be a person's. Audiences that are frozen already stay as they are.
"""

import hashlib

from sqlalchemy import delete, select

from services.planner.contacts.blocked_domains import BLOCKED_DOMAINS
from services.planner.idempotency import Act
from services.planner.parts import Parts
from services.planner.schema import insert
from shared.addresses import AddressError, domain, parse
from shared.contracts import commands, subjects
from shared.contracts.audience import DomainBlocked
from shared.contracts.commands import Answer, Refusal
from shared.database import reading


async def block(parts: Parts, wanted: commands.BlockDomain, act: Act) -> Answer | Refusal:
    """Block a domain, or let it go."""
    try:
        name = domain(parse(f"postmaster@{wanted.domain.strip().removeprefix('@')}"))
    except AddressError as error:  # refused with the reason
        return Refusal(code="domain_invalid", message=f"This is no domain: {error}", field="domain")
    async with parts.engine.begin() as conn:
        if wanted.blocked:
            put = insert(conn, BLOCKED_DOMAINS).values(domain=name, reason=wanted.reason)
            new = {"reason": put.excluded.reason}
            await conn.execute(put.on_conflict_do_update(index_elements=[BLOCKED_DOMAINS.c.domain], set_=new))
        else:
            await conn.execute(delete(BLOCKED_DOMAINS).where(BLOCKED_DOMAINS.c.domain == name))
    event = DomainBlocked(domain=parts.keys.fingerprint("domain", name)[:16], blocked=wanted.blocked)
    part = subjects.partition(hashlib.sha256(event.domain.encode()).hexdigest())
    position = await parts.log.append_journal(subjects.audience(part), [event], origin=act.origin())
    return Answer(ok=True, position=position, data={"domain": name, "blocked": wanted.blocked})


async def listed(parts: Parts, wanted: commands.BlockedDomains) -> Answer | Refusal:
    """List the blocked domains by name."""
    b = BLOCKED_DOMAINS.c
    query = select(b.domain, b.reason).where(b.domain > wanted.after).order_by(b.domain).limit(wanted.limit)
    async with reading(parts.engine).connect() as conn:
        rows = [dict(row) for row in (await conn.execute(query)).mappings()]
    after = rows[-1]["domain"] if len(rows) == wanted.limit else ""
    return Answer(ok=True, data={"rows": rows, "next": after})
