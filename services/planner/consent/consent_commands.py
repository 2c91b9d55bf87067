"""The commands about consent: whether a list demands confirmations, opt-ins and opt-outs that operators tell of."""

from collections.abc import Awaitable, Callable
from typing import Any

from services.planner.audience.freezing import digest
from services.planner.consent.opt_ins import Wish, confirmation_of, demand
from services.planner.contacts import lists
from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared.addresses import AddressError, parse
from shared.contracts import commands
from shared.contracts.commands import Answer, Refusal
from shared.contracts.consent import EVERYTHING
from shared.database import reading

Result = Answer | Refusal


async def list_confirmation(parts: Parts, wanted: commands.ListConfirmation, _act: Act) -> Result:
    """Freeze the mail that asks, and have the list demand a confirmation by it."""
    list_id = await _list(parts, wanted.list)
    if list_id is None:
        return _no_list(wanted.list)
    name = ""
    if wanted.account:
        content = confirmation_of(wanted)
        if isinstance(content, Refusal):
            return content
        refusal = (await parts.account(wanted.account)).refusal(content.sender_address)
        if refusal is not None:
            return refusal
        encoded = content.encoded()
        name = digest(encoded)
        await parts.contents.put(name, encoded)
        wanted = wanted.model_copy(update={"subject": content.subject})
    await demand(parts.engine, list_id, wanted, name)
    return Answer(ok=True, data={"list": list_id, "confirmed": bool(wanted.account)})


async def opt_in(parts: Parts, wanted: commands.OptIn, act: Act) -> Result:
    """Put somebody on a list, or ask for the confirmation that it demands."""
    address, list_id = _address(wanted.address), await _list(parts, wanted.list)
    if isinstance(address, Refusal):
        return address
    if list_id is None:
        return _no_list(wanted.list)
    done = await parts.opt_ins.opt_in(Wish(address, list_id, "operator", wanted.name), act.origin())
    if isinstance(done, Refusal):
        return done
    contact, state, position = done
    parts.directory.nudge()
    return Answer(ok=True, position=position, data={"contact": contact, "list": list_id, "state": state})


async def opt_out(parts: Parts, wanted: commands.OptOut, act: Act) -> Result:
    """Record that somebody wants no mail of a list, or none at all."""
    address, scope = _address(wanted.address), EVERYTHING
    if isinstance(address, Refusal):
        return address
    if wanted.list:
        list_id = await _list(parts, wanted.list)
        if list_id is None:
            return _no_list(wanted.list)
        scope = list_id
    position = await parts.opt_ins.opt_out(address, scope, act.origin())
    return Answer(ok=True, position=position, data={"scope": scope})


async def _list(parts: Parts, wanted: str) -> str | None:
    async with reading(parts.engine).connect() as conn:
        found, _ = await lists.resolve(conn, [wanted])
    return found[0] if found else None


def _no_list(wanted: str) -> Refusal:
    return Refusal(code="list_unknown", message=f"There is no list {wanted}.", field="list")


def _address(text: str) -> str | Refusal:
    try:
        return parse(text)
    except AddressError as error:  # refused with the reason
        return Refusal(code="address_invalid", message=f"This is no e-mail address: {error}", field="address")


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.ListConfirmation: list_confirmation,
    commands.OptIn: opt_in,
    commands.OptOut: opt_out,
}
