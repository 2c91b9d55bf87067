"""Who asks: tokens and sessions become principals, in planner and reporting alike.

A view in memory follows `evt.principal.*`; verifiers are read from PRINCIPALS once. A token or session that the view
does not know yet waits until it has what the log has, so a fresh token works at once; what was revoked is refused as
soon as the view hears of it, within milliseconds. Whoever cannot be told is nobody (None); while the log does not
answer `UnavailableError` says so.
"""

import hmac
from collections.abc import Callable

from pydantic import BaseModel, ConfigDict

from shared import clock
from shared.contracts import principal, subjects
from shared.contracts.envelope import Commit
from shared.contracts.principal import Standing
from shared.contracts.principals import NATS_USERS, Principal
from shared.credentials import Session, Token, read_session, read_token
from shared.eventlog.documents import Documents
from shared.eventlog.errors import EventLogError, MissingError, UnavailableError
from shared.eventlog.follow import Follower
from shared.eventlog.store import EventLog
from shared.keys import KeyRing

_PATIENCE = 5.0
_START_SECONDS = 60.0
_LONGEST = 300


class Record(BaseModel):
    """What PRINCIPALS holds of a principal; `verifier` is the hash of a token's secret, or argon2id of a password."""

    model_config = ConfigDict(frozen=True)

    name: str
    email: str = ""
    verifier: str


def nats_principal(user: str) -> Principal | None:
    """Return the principal that a NATS user is."""
    permissions = NATS_USERS.get(user)
    return None if permissions is None else Principal(user, "nats", permissions)


class Principals:
    """All principals as the log has them; `start` before use."""

    def __init__(self, log: EventLog, records: Documents, keys: KeyRing) -> None:
        self._log = log
        self._records = records
        self._keys = keys
        self._standings: dict[str, Standing] = {}
        self._verifiers: dict[tuple[str, str], str] = {}
        self._follower = Follower(log, [subjects.ALL_PRINCIPALS], self._apply, name="principals")

    async def start(self) -> None:
        """Follow the log; returns when the view has all that stood in it."""
        await self._follower.start()
        await self._follower.wait_for(await self._log.last_seq(subjects.ALL_PRINCIPALS), _START_SECONDS)

    async def stop(self) -> None:
        """Follow no more."""
        await self._follower.stop()

    def problem(self) -> str:
        """Return why nobody can be told apart, "" while all is well."""
        return f"{self._follower.failure}" if self._follower.failure else ""

    async def authenticate(self, bearer: str) -> Principal | None:
        """Return whose token or session `bearer` is, None where it is nobody's or does not hold (any more).

        Raises:
            UnavailableError: The log does not answer.
        """
        if self._follower.failure is not None:
            raise UnavailableError(f"principals: {self._follower.failure}")
        if len(bearer) > _LONGEST:
            return None
        if (session := read_session(self._keys, bearer)) is not None:
            return await self._user(session)
        if (token := read_token(bearer)) is not None:
            return await self._token(token)
        return None

    async def standings(self) -> dict[str, Standing]:
        """Return all that ever were, by id, as the log has them now."""
        await self._caught_up()
        return dict(self._standings)

    async def _user(self, session: Session) -> Principal | None:
        if clock.now() >= session.expires_at:
            return None
        standing = await self._standing(session.user, lambda known: known.epoch >= session.epoch)
        if standing.kind != "user" or not standing.active or standing.epoch != session.epoch:
            return None
        if session.id in standing.closed:
            return None
        return Principal(session.user, "user", standing.permissions)

    async def _token(self, token: Token) -> Principal | None:
        standing = await self._standing(token.id, lambda known: known.epoch > 0)
        if standing.kind != "token" or not standing.holds(clock.now()):
            return None
        verifier = await self._verifier(token.id, standing.record)
        if not hmac.compare_digest(verifier, token.verifier):
            return None
        return Principal(token.id, "token", standing.permissions)

    async def _standing(self, who: str, new_enough: Callable[[Standing], bool]) -> Standing:
        known = self._standings.get(who, Standing())
        if not new_enough(known):
            await self._caught_up()
        return self._standings.get(who, Standing())

    async def _caught_up(self) -> None:
        try:
            await self._follower.wait_for(await self._log.last_seq(subjects.ALL_PRINCIPALS), _PATIENCE)
        except (TimeoutError, EventLogError) as error:  # the caller may ask again
            raise UnavailableError(f"principals: {error}") from error

    async def _verifier(self, who: str, record: str) -> str:
        known = self._verifiers.get((who, record))
        if known is None:
            try:
                stored = await self._records.get(subjects.principal_record(who, record))
            except MissingError:  # revoked meanwhile: it verifies nothing
                return ""
            known = self._verifiers[who, record] = Record.model_validate_json(stored).verifier
        return known

    def _apply(self, commit: Commit) -> None:
        who = commit.subject.rpartition(".")[2]
        state = self._standings.get(who, Standing())
        for record in commit.events:
            state = principal.evolve(state, record.event)
        self._standings[who] = state
        if not state.active:
            self._verifiers = {key: verifier for key, verifier in self._verifiers.items() if key[0] != who}
