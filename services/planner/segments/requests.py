"""The requests about rules: make a list dynamic, and see whom a rule finds now."""

import hashlib

from services.planner.audience import outcomes
from services.planner.contacts import lists, search
from services.planner.idempotency import Act
from services.planner.parts import Parts
from services.planner.segments import dynamic
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.audience import ListRuled
from shared.contracts.commands import Answer, Refusal
from shared.database import reading

_PATIENCE_S = 2.0
_NO_RULE = Refusal(code="rule_invalid", message="Give a rule: it is empty.", field="rule", line=1)


async def rule_list(parts: Parts, wanted: commands.RuleList, act: Act) -> Answer | Refusal:
    """Look at the rule, then give it to the list and record that it has another one."""
    rule, today = wanted.rule.strip(), clock.now().date()
    found, slips = 0, list[str]()
    behind = await _freshen(parts)
    async with reading(parts.engine).connect() as conn:
        ids, _ = await lists.resolve(conn, [wanted.list])
        if not rule and not ids:
            return Refusal(code="list_unknown", message=f"There is no list {wanted.list}.", field="list")
        if rule:
            asked = await dynamic.known(conn, rule, today, ids[0] if ids else lists.id_of(wanted.list))
            if isinstance(asked, Refusal):
                return asked
            found, slips = await dynamic.count(conn, asked), await dynamic.unknown_fields(conn, asked.rule)
    async with parts.engine.begin() as conn:
        list_id = ids[0] if ids else await lists.ensure(conn, wanted.list)
        await dynamic.put(conn, list_id, rule)
    digest = hashlib.sha256(rule.encode()).hexdigest() if rule else ""
    part = subjects.partition(hashlib.sha256(list_id.encode()).hexdigest())
    event = ListRuled(list=list_id, rule=digest)
    position = await parts.log.append_journal(subjects.audience(part), [event], origin=act.origin())
    parts.directory.nudge()
    return Answer(
        ok=True, position=position, data={"list": list_id, "found": found, "behind": behind, "unknown_fields": slips}
    )


async def count_segment(parts: Parts, wanted: commands.CountSegment) -> Answer | Refusal:
    """Count whom a rule finds, and show some of them."""
    if not wanted.rule.strip():
        return _NO_RULE
    behind = await _freshen(parts)
    async with reading(parts.engine).connect() as conn:
        of = (await lists.resolve(conn, [wanted.list]))[0] if wanted.list else []
        asked = await dynamic.known(conn, wanted.rule, clock.now().date(), of[0] if of else "")
        if isinstance(asked, Refusal):
            return asked
        rows = await dynamic.page(conn, asked, wanted.after, wanted.limit) if wanted.limit else []
        data = {
            "count": await dynamic.count(conn, asked),
            "behind": behind,
            "rows": rows,
            "next": rows[-1]["contact"] if rows and len(rows) == wanted.limit else "",
            "unknown_fields": await dynamic.unknown_fields(conn, asked.rule),
        }
    return Answer(ok=True, data=data)


async def _freshen(parts: Parts) -> int:
    """Have rules see the latest; return of about how many contacts they do not, so soon after a large import."""
    await outcomes.freshen(parts.engine)
    return await search.freshen(parts.engine, _PATIENCE_S)
