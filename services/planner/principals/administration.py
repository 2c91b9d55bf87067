"""Commands about principals: tokens of programs and people who sign in.

The record is written first, the event that names it after; see records.py for what becomes of the one that lost. A
token is derived from the command that issued it (shared/credentials.py), so the same key gives it again though it is
kept nowhere. The id of a person is the keyed hash of the address, so an address is one person.
"""

from contextlib import suppress
from typing import Literal

from services.planner.idempotency import Act
from services.planner.parts import Parts
from services.planner.principals import principal
from services.planner.principals.principal import REVOKED, Add, PrincipalDecider, Revoke, SetPassword, SetPermissions
from shared import clock
from shared.addresses import AddressError, parse
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.principal import PrincipalAdded, Standing
from shared.credentials import tokens_of
from shared.eventlog.handling import Handled, handle
from shared.keys import KeyRing
from shared.messaging.principals import Record

Result = Answer | Refusal


def user_id(keys: KeyRing, email: str) -> str:
    """Return the id of the person with this address, whether there is one or not."""
    with suppress(AddressError):  # what is no address is nobody's
        email = parse(email.strip())
    return f"u{keys.address_key(email)}"


async def issue_token(parts: Parts, wanted: commands.IssueToken, act: Act) -> Result:
    """Issue a token, or give again the one that this command issued."""
    token, record = act.new_id("token"), act.command_id
    added = PrincipalAdded(kind="token", permissions=wanted.permissions, record=record, expires_at=wanted.expires_at)
    made = tokens_of(parts.keys, token, act.command_id)
    kept = await parts.records.put(token, record, Record(name=wanted.name, verifier=made[0][1].verifier))
    done = await _done(parts, token, Add(added, clock.now()), act)
    if isinstance(done, Refusal) or not done.state.active:
        await parts.records.erase(token)
        return done if isinstance(done, Refusal) else REVOKED
    shown = [text for text, one in made if one.verifier == kept.verifier]
    if not shown:
        message = "It was issued with a key that is gone, so it cannot be given again: revoke it and issue another one."
        return Refusal(code="token_lost", message=message)
    return Answer(ok=True, position=done.seq, data={"token": token, "secret": shown[0]})


async def revoke_token(parts: Parts, wanted: commands.RevokeToken, act: Act) -> Result:
    """Let a token prove nothing any more."""
    return await _revoke(parts, wanted.token, "token", act)


async def add_user(parts: Parts, wanted: commands.AddUser, act: Act) -> Result:
    """Add a person."""
    try:
        email = parse(wanted.email.strip())
    except AddressError as error:  # refused: the reason names what is wrong with it
        return Refusal(code="address_invalid", message=str(error), field="email")
    user, record = user_id(parts.keys, email), act.command_id
    hashed = await parts.passwords.hash(wanted.password)
    await parts.records.put(user, record, Record(name=wanted.name, email=email, verifier=hashed))
    added = PrincipalAdded(kind="user", permissions=wanted.permissions, record=record)
    return await _kept(parts, user, record, await _done(parts, user, Add(added, clock.now()), act))


async def change_permissions(parts: Parts, wanted: commands.ChangePermissions, act: Act) -> Result:
    """Replace what a person may do."""
    done = await _done(parts, wanted.user, SetPermissions(wanted.permissions), act)
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"user": wanted.user})


async def set_password(parts: Parts, wanted: commands.SetPassword, act: Act) -> Result:
    """Give a person another password."""
    return await new_password(parts, wanted.user, wanted.password, act)


async def remove_user(parts: Parts, wanted: commands.RemoveUser, act: Act) -> Result:
    """Remove a person."""
    return await _revoke(parts, wanted.user, "user", act)


async def new_password(parts: Parts, user: str, password: str, act: Act) -> Result:
    """Write a record with the new password, let it hold, and overwrite the one before."""
    state, record = await parts.principal(user), act.command_id
    before = await parts.records.get(user, state.record) if state.active and state.kind == "user" else None
    if before is None:
        return principal.unknown("user")
    hashed = await parts.passwords.hash(password)
    await parts.records.put(user, record, before.model_copy(update={"verifier": hashed}))
    done = await _done(parts, user, SetPassword(record), act)
    return await _kept(parts, user, record, done, before=state.record)


async def tokens(parts: Parts, _: commands.Tokens) -> Result:
    """List the tokens that were not revoked."""
    now = clock.now()
    found = [
        {
            "token": who,
            "name": record.name,
            "permissions": principal.ordered(standing.permissions),
            "expires_at": standing.expires_at.isoformat() if standing.expires_at else None,
            "expired": not standing.holds(now),
        }
        for who, standing, record in await _all(parts, "token")
    ]
    return Answer(ok=True, data={"tokens": found})


async def users(parts: Parts, _: commands.Users) -> Result:
    """List the people."""
    found = [
        {
            "user": who,
            "name": record.name,
            "email": record.email,
            "permissions": principal.ordered(standing.permissions),
        }
        for who, standing, record in await _all(parts, "user")
    ]
    return Answer(ok=True, data={"users": found})


async def own_address(parts: Parts, who: str) -> list[str]:
    """Return the address of a person, nothing for a token or a NATS user."""
    state = await parts.principal(who)
    record = await parts.records.get(who, state.record) if state.active and state.kind == "user" else None
    return [record.email] if record else []


async def _all(parts: Parts, kind: Literal["user", "token"]) -> list[tuple[str, Standing, Record]]:
    found = []
    for who, standing in (await parts.principals.standings()).items():
        if standing.kind == kind and standing.active:
            record = await parts.records.get(who, standing.record)
            if record is not None:  # else revoked at this moment
                found.append((who, standing, record))
    return sorted(found, key=lambda row: row[2].name.lower())


async def _revoke(parts: Parts, who: str, kind: Literal["user", "token"], act: Act) -> Result:
    done = await _done(parts, who, Revoke(kind), act)
    if isinstance(done, Refusal):
        return done
    if not done.state.active:
        await parts.records.erase(who)
    return Answer(ok=True, position=done.seq, data={kind: who})


async def _done(parts: Parts, who: str, command: principal.Command, act: Act) -> Handled[Standing] | Refusal:
    return await handle(parts.log, PrincipalDecider(), subjects.principal(who), command, act.origin())


async def _kept(parts: Parts, user: str, record: str, done: Handled[Standing] | Refusal, *, before: str = "") -> Result:
    """Overwrite the record that does not hold, this one or the one before, and answer."""
    holds = isinstance(done, Handled) and done.state.active and done.state.record == record
    if not holds:
        await parts.records.erase(user, record)
    elif before not in ("", record):
        await parts.records.erase(user, before)
    return done if isinstance(done, Refusal) else Answer(ok=True, position=done.seq, data={"user": user})
