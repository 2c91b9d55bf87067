"""Commands about the keys that sign for a domain. A private key is sealed into SECRETS before the event that names it.

A private key outlives its retirement until no chunk pins its selector that may still be sent, so that every attempt at
a mail has the same bytes; then housekeeping overwrites it. Ten minutes are left to plans that are under way.
"""

from datetime import timedelta

from services.planner.accounts.domain import Add, Domain, DomainDecider, Key, Retire, Use, folded
from services.planner.board import Board
from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.contracts.domain import DomainKeyAdded, DomainKeyRetired
from shared.contracts.envelope import Commit
from shared.contracts.sending import ChunkPlanned
from shared.dkim_keys import SigningKey, SigningKeyError
from shared.eventlog.errors import MissingError
from shared.eventlog.handling import handle
from shared.eventlog.store import EventLog

Result = Answer | Refusal

_UNDER_WAY = timedelta(minutes=10)
_FACTS_S = 60.0
_USED = Refusal(code="selector_used", message="This selector names another key: choose a new one.", field="selector")


async def add_key(parts: Parts, wanted: commands.AddDomainKey, act: Act) -> Result:
    """Make a key, or take the one that was brought; what was stored first under the selector stays."""
    domain = folded(await parts.log.load(subjects.domain(wanted.domain)))
    before = domain.keys.get(wanted.selector)
    if before is not None and before.standing == "retired":
        return _USED
    try:
        pem = wanted.private_key or SigningKey.generate(wanted.algorithm)
        brought = SigningKey(pem)
    except SigningKeyError as error:  # refused: it says what is expected
        return Refusal(code="key_invalid", message=f"{error}.", field="private_key")
    place = subjects.sealed(subjects.signing_key(wanted.domain, wanted.selector))
    key = SigningKey(parts.keys.unseal(await parts.vault.put_once(place, parts.keys.seal(pem))))
    if wanted.private_key and brought.record() != key.record():
        return _USED
    added = DomainKeyAdded(domain=wanted.domain, selector=wanted.selector, algorithm=key.algorithm, record=key.record())
    return await _done(parts, wanted, Add(added), act)


async def use_key(parts: Parts, wanted: commands.UseDomainKey, act: Act) -> Result:
    """Sign with it from now on."""
    return await _done(parts, wanted, Use(wanted.selector), act)


async def retire_key(parts: Parts, wanted: commands.RetireDomainKey, act: Act) -> Result:
    """Sign with it no more."""
    return await _done(parts, wanted, Retire(wanted.selector), act)


async def _done(parts: Parts, wanted: commands.OfDomainKey, command: Add | Use | Retire, act: Act) -> Result:
    done = await handle(parts.log, DomainDecider(), subjects.domain(wanted.domain), command, act.origin())
    if isinstance(done, Refusal):
        return done
    return Answer(ok=True, position=done.seq, data=_row(done.state, wanted.selector, done.state.keys[wanted.selector]))


def _row(domain: Domain, selector: str, key: Key) -> dict[str, str]:
    return {
        "domain": domain.name,
        "selector": selector,
        "algorithm": key.algorithm,
        "standing": key.standing,
        "record_name": f"{selector}._domainkey.{domain.name}",
        "record": key.record,
    }


async def domain_keys(parts: Parts, _: commands.DomainKeys) -> Result:
    """List the keys of all domains."""
    found = [_row(domain, *each) for domain in await _domains(parts.log) for each in domain.keys.items()]
    return Answer(ok=True, data={"keys": found})


async def keys_of(log: EventLog, name: str) -> dict[str, str]:
    """Return the records of the keys that sign for a domain just now: where each stands -> what it says."""
    domain = folded(await log.load(subjects.domain(name)))
    rows = (_row(domain, *each) for each in domain.keys.items())
    return {row["record_name"]: row["record"] for row in rows if row["standing"] == "signing"}


async def _domains(log: EventLog) -> list[Domain]:
    found: dict[str, list[Commit]] = {}
    async for commits in log.scan([subjects.ALL_DOMAINS]):
        for commit in commits:
            found.setdefault(commit.subject, []).append(commit)
    return sorted(map(folded, found.values()), key=lambda domain: domain.name)


async def sealed_keys(log: EventLog) -> dict[str, str]:
    """Return where private keys are or were, key in SECRETS -> what people call it."""
    return {
        subjects.signing_key(domain.name, selector): f"{selector}._domainkey.{domain.name}"
        for domain in await _domains(log)
        for selector in domain.keys
    }


async def sweep(parts: Parts) -> int:
    """Overwrite the private keys that nothing needs any more; return how many there were."""
    gone = [(name, selector) for name, selector in await _retired(parts.log) if await _kept(parts, name, selector)]
    if not gone:
        return 0
    await parts.facts_at(await parts.log.last_seq(subjects.ALL_PLANS), _FACTS_S)
    pinned = await _pinned(parts.log, parts.board)
    erased = [each for each in gone if each[1] not in pinned]
    for name, selector in erased:
        await parts.vault.erase(subjects.sealed(subjects.signing_key(name, selector)))
    return len(erased)


async def _retired(log: EventLog) -> list[tuple[str, str]]:
    names: dict[str, str] = {}
    found: list[tuple[str, str]] = []
    async for commits in log.scan([subjects.ALL_DOMAINS]):
        for commit in commits:
            for event in (record.event for record in commit.events):
                if isinstance(event, DomainKeyAdded):
                    names[commit.subject] = event.domain
                elif isinstance(event, DomainKeyRetired) and commit.recorded_at < clock.now() - _UNDER_WAY:
                    found.append((names[commit.subject], event.selector))
    return found


async def _kept(parts: Parts, name: str, selector: str) -> bool:
    try:
        await parts.vault.get(subjects.sealed(subjects.signing_key(name, selector)))
    except MissingError:  # overwritten before
        return False
    return True


async def _pinned(log: EventLog, board: Board) -> set[str]:
    """Return the selectors of chunks that may still be sent, whatever their domain is."""
    found: set[str] = set()
    for ref in await board.sendable():
        for commit in await log.load(subjects.plan(ref.mailing, ref.account, ref.lane, ref.n)):
            for event in (record.event for record in commit.events):
                found.update(event.selectors if isinstance(event, ChunkPlanned) else ())
    return found
