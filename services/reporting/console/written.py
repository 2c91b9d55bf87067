"""What was written of a mailing, and the command that replaces it: what a form does not show stays as it is."""

from typing import Any

from services.reporting.console.desk import Data, Desk
from shared.contracts import commands
from shared.contracts.commands import DraftMailing, EditMailing, Refusal

TEXTS = ("subject", "html", "text")
"""What a mailing says."""


async def written(desk: Desk, status: Data) -> Data:
    """Return the fields of a draft, with the limits as they are by now."""
    found = await desk.read(commands.Draft(mailing=status["mailing"]))
    return found | {"limits": status["limits"]}


def kept(found: Data) -> Data:
    """Return what `found` says of each field of a draft, in the spelling of commands."""
    fields: Data = {name: found[name] for name in EditMailing.model_fields if found.get(name) is not None}
    fields["attachments"] = [_without(file, "size") for file in found["attachments"]]
    fields["variants"] = {code: _without(variant, "language") for code, variant in found["variants"].items()}
    return fields


def anew(found: Data, **changes: Any) -> DraftMailing:  # noqa: ANN401 - whatever a field holds
    """Return the command that drafts the same once more, with changes."""
    return DraftMailing.model_validate({**_without(kept(found), "mailing"), **changes})


def sender_of(found: Data) -> str:
    """Return who it comes from, as mail programs say it."""
    name, address = found["sender_name"], found["sender_address"]
    return f"{name} <{address}>" if name else str(address)


async def replaced(desk: Desk, found: Data, form: str, **changes: Any) -> Refusal | None:  # noqa: ANN401 - as above
    """Edit the draft where something changed; an edit drops the audience that was fixed."""
    before = EditMailing.model_validate(kept(found))
    wanted = EditMailing.model_validate(kept(found) | changes)
    return None if wanted == before else (await desk.tell(wanted, form)).refusal


def _without(fields: Data, name: str) -> Data:
    return {key: value for key, value in fields.items() if key != name}
