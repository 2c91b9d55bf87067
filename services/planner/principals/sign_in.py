"""Signing in and out, and changing one's own password.

An unknown address, a removed person and a wrong password are refused alike and take as long; who fails too often waits
(throttle.py). A session is signed, not stored; closing it is an event. These commands run without the table of
idempotency keys, so nothing of a password gets there.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from services.planner.idempotency import Act
from services.planner.parts import Parts
from services.planner.principals import principal
from services.planner.principals.administration import new_password, user_id
from services.planner.principals.principal import Close, PrincipalDecider
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.principal import SESSION_LIFETIME, Standing
from shared.credentials import Session, read_session, sign_session
from shared.eventlog.handling import handle
from shared.ids import new_id
from shared.messaging.answers import Caller
from shared.messaging.principals import Record

Result = Answer | Refusal


async def open_session(parts: Parts, wanted: commands.OpenSession, caller: Caller) -> Result:
    """Sign in."""
    user = user_id(parts.keys, wanted.email)
    proved = await _proved(parts, user, wanted.password, caller)
    if isinstance(proved, Refusal):
        return proved
    state, record = proved
    until = (clock.now() + SESSION_LIFETIME).replace(microsecond=0)
    session = sign_session(parts.keys, Session(user, new_id(), state.epoch, until))
    may = principal.ordered(state.permissions)
    data = {"session": session, "user": user, "name": record.name, "permissions": may, "expires_at": until.isoformat()}
    return Answer(ok=True, data=data)


async def close_session(parts: Parts, wanted: commands.CloseSession, caller: Caller) -> Result:
    """Sign out; whatever is no session (any more) is signed out already."""
    session = read_session(parts.keys, wanted.session)
    if session is None:
        return Answer(ok=True)
    act = Act(caller.principal or session.user, "", new_id(20))
    close = Close(session.id, session.epoch, session.expires_at, clock.now())
    done = await handle(parts.log, PrincipalDecider(), subjects.principal(session.user), close, act.origin())
    return Answer(ok=True) if isinstance(done, Refusal) else Answer(ok=True, position=done.seq)


async def change_password(parts: Parts, wanted: commands.ChangePassword, caller: Caller) -> Result:
    """Change one's own password."""
    state = await parts.principal(caller.principal)
    if not state.active or state.kind != "user":
        return Refusal(code="no_password", message="Only people who sign in have a password.")
    proved = await _proved(parts, caller.principal, wanted.current, caller)
    if isinstance(proved, Refusal):
        return proved.model_copy(update={"field": "current"})
    return await new_password(parts, caller.principal, wanted.password, Act(caller.principal, "", new_id(20)))


async def _proved(parts: Parts, user: str, password: str, caller: Caller) -> tuple[Standing, Record] | Refusal:
    """Return the user with this password, or why it is not believed."""
    place = caller.remote or caller.principal
    wait = await parts.throttle.attempt(user, place)
    if wait:
        return Refusal(code="too_many_attempts", message=f"Too many attempts: try again in {wait} seconds.")
    state = await parts.principal(user)
    record = await parts.records.get(user, state.record) if state.active and state.kind == "user" else None
    if not await parts.passwords.fits(password, record.verifier if record else None) or record is None:
        return Refusal(code="sign_in_failed", message="There is no user with this address and this password.")
    await parts.throttle.succeeded(user, place)
    return state, record


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Caller], Awaitable[Result]]] = {
    commands.OpenSession: open_session,
    commands.CloseSession: close_session,
    commands.ChangePassword: change_password,
}
