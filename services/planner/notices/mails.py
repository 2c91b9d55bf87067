"""Notices: whoever is named in `notify` is told by mail how a mailing ended, or why it stands.

By level: the facts hold a row for each event that calls for a notice, and it is owed until the plan of its mail is
known. Payload first, then the plan, both under an id that derives from the event: after a crash in between the payload
that is stored is planned, and planning twice is planning once. It is one chunk in the prompt lane of the account that
the mailing had. A notice that cannot be planned holds up neither its mailing nor the others; it is tried again with
every sweep and given up after some days, as is its mail where the account takes none.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson
from sqlalchemy import and_, select
from sqlalchemy.ext.asyncio import AsyncEngine

from services.planner.audience.freezing import digest
from services.planner.contacts.contacts import holder
from services.planner.facts import CHUNKS, millis
from services.planner.notices.lookup import GIVEN_UP, Lookup, Owed
from services.planner.notices.notice_facts import NOTICES, is_stand
from services.planner.notices.text import wording
from services.planner.planning.chunks import Planning, by_itself, payload_row
from services.planner.sweeps import Sweeps
from shared import clock
from shared.contracts import subjects
from shared.contracts.content import Content
from shared.contracts.envelope import Commit
from shared.database import reading
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog
from shared.instants import from_millis
from shared.keys import KeyRing
from shared.steps import step

logger = logging.getLogger(__name__)

STRANGER = "notice"
"""Contact of an address that is nobody's."""

_SUBJECT, _TEXT = "notice_subject", "notice_text"


@dataclass(frozen=True, slots=True)
class Reach:
    """What notices are made from."""

    engine: AsyncEngine
    log: EventLog
    planning: Planning
    contents: Objects
    keys: KeyRing
    sweep_seconds: float


class Notices:
    """Plans the notices that are owed, until cancelled."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._reading = reading(reach.engine)
        self._lookup = Lookup(reach.engine, reach.log, reach.contents)
        self._sweeps = Sweeps("notices", self.sweep, reach.sweep_seconds)

    async def on_applied(self, _seq: int, commits: Sequence[Commit]) -> None:
        """Look at once where a mailing came to a stand."""
        if any(is_stand(record.event) for commit in commits for record in commit.events):
            self._sweeps.wake()

    async def run(self) -> None:
        """Plan for ever."""
        await self._sweeps.run()

    async def sweep(self) -> None:
        """Plan what is owed; what fails is logged, and owed still."""
        for owed in await self._owed():
            try:
                await self._plan(owed)
            except Exception:  # whatever it was, the others are told; this one is tried again with the next sweep
                logger.exception("a notice could not be planned", extra={"mailing": owed.mailing})

    async def _owed(self) -> list[Owed]:
        n, c = NOTICES.c, CHUNKS.c
        planned = and_(c.mailing == n.id, c.n == 0, c.size > 0)
        query = select(n.id, n.mailing, n.seq, n.at).outerjoin(CHUNKS, planned)
        since = millis(clock.now() - GIVEN_UP)
        query = query.where(n.mail.is_(True), c.n.is_(None), n.at > since).order_by(n.seq)
        async with self._reading.connect() as conn:
            return [Owed(*row) for row in await conn.execute(query)]

    async def _plan(self, owed: Owed) -> None:
        called = await self._lookup.told(owed)
        if called is None:
            return
        of, told, account = called
        subject, text = wording(told)
        letter = Content(
            subject=f"{{{{ {_SUBJECT} }}}}",
            text=f"{{{{ {_TEXT} }}}}",
            sender_name=of.sender_name,
            sender_address=of.sender_address,
            unsubscribe=False,
            headers={"Auto-Submitted": "auto-generated"},
        ).encoded()
        await self._reach.contents.put(digest(letter), letter)
        rows = [
            payload_row(await self._contact(key), (address, "", key), [], {_SUBJECT: subject, _TEXT: text})
            for address in of.notify
            for key in (self._reach.keys.address_key(address),)
        ]
        payload = await self._reach.planning.put(owed.id, 0, rows)
        step("notice.payload")
        # It was asked for with the mailing, whatever the addresses opted out of before.
        checked = await self._reach.log.last_seq(subjects.ALL_CONSENT)
        until = from_millis(owed.at) + GIVEN_UP
        plan = replace(by_itself(owed.id, "notice", account, digest(letter), checked), expires_at=until)
        contacts = [orjson.loads(line)["contact"] for line in payload.split(b"\n")]
        await self._reach.planning.append(plan, contacts, payload)
        step("notice.planned")

    async def _contact(self, key: str) -> str:
        async with self._reading.connect() as conn:
            found = await holder(conn, key)
        return found.contact if found else STRANGER
