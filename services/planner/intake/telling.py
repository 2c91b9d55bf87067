"""Contacts told by a command: the same events as on `in.contacts`, taken in at once; what does not fit is answered."""

from dataclasses import asdict

import orjson

from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared.contracts import commands, intake
from shared.contracts.commands import Answer


async def tell_contacts(parts: Parts, wanted: commands.TellContacts, _act: Act) -> Answer:
    """Take in the events that fit, and say what is wrong with the others."""
    told, problems = intake.read(orjson.dumps(wanted.events), parts.settings.kinds)
    await parts.intake.tell(told)
    return Answer(ok=True, data={"taken": len(told), "problems": [asdict(problem) for problem in problems]})
