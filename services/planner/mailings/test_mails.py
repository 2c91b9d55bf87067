"""Test mails: one chunk of a pseudo-mailing in the prompt lane, with the fields of a real contact.

Payload first, then TestSent on the mailing, then the plan: after a crash in between, `repair` makes the plan from the
payload. The pseudo-mailing's id derives from mailing and command, so the same command sends one test.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.planner.audience.frozen_rows import AUDIENCES, ROWS
from services.planner.board import Board
from services.planner.contacts.contacts import CONTACTS, holder
from services.planner.mailings.mailing import Mailing, MailingDecider
from services.planner.mailings.orders import Test
from services.planner.planning.chunks import Plan, Planning, payload_row
from services.planner.statuses import standing
from shared.contracts import subjects
from shared.contracts.commands import Refusal
from shared.contracts.envelope import Origin
from shared.contracts.mailing import TestSent
from shared.contracts.subjects import PROMPT
from shared.database import reading
from shared.eventlog.errors import MissingError
from shared.eventlog.handling import Handled, handle
from shared.eventlog.store import EventLog
from shared.ids import derived_id
from shared.keys import KeyRing
from shared.steps import step

STRANGER = "test"  # contact of an address that is nobody's


@dataclass(frozen=True, slots=True)
class Sample:
    """A test as wanted: of which mailing, with which state, to whom, as members of which lists."""

    mailing: str
    state: Mailing
    to: Sequence[str]
    lists: Sequence[str]


class TestMails:
    """Plans test mails."""

    __test__ = False

    def __init__(self, engine: AsyncEngine, log: EventLog, board: Board, planning: Planning, keys: KeyRing) -> None:
        self._reading = reading(engine)
        self._log = log
        self._board = board
        self._planning = planning
        self._keys = keys
        self._planned: set[str] = set()

    async def send(self, sample: Sample, origin: Origin) -> tuple[str, int] | Refusal:
        """Plan a test; return the id of its pseudo-mailing and the position of its TestSent."""
        test = derived_id(sample.mailing, origin.command_id)
        payload = await self._planning.put(test, 0, await self._rows(sample))
        step("test.payload")
        order = Test(TestSent(test=test, recipients=len(sample.to)))
        subject = subjects.mailing(sample.mailing)
        recorded: Handled[Mailing] | Refusal = await handle(self._log, MailingDecider(), subject, order, origin)
        if isinstance(recorded, Refusal):
            return recorded
        step("test.recorded")
        await self._plan(sample.state, test, payload)
        return test, recorded.seq

    async def repair(self, state: Mailing) -> None:
        """Plan the tests of a mailing that were recorded and not planned."""
        for test in state.tests:
            if test in self._planned or await self._board.known(test, 0):
                self._planned.add(test)
                continue
            try:
                await self._plan(state, test, await self._planning.stored(test, 0))
            except MissingError:  # its payload was erased since: there is nobody left to test on
                self._planned.add(test)

    async def _plan(self, state: Mailing, test: str, payload: bytes) -> None:
        if state.draft is None:
            return
        contacts = [orjson.loads(line)["contact"] for line in payload.split(b"\n")]
        # Somebody asked for these mails just now, whatever the addresses opted out of before.
        checked = await self._log.last_seq(subjects.ALL_CONSENT)
        plan = Plan(test, 0, state.draft.account, PROMPT, "test", checked, state.draft)
        await self._planning.append(plan, contacts, payload)
        self._planned.add(test)

    async def _rows(self, sample: Sample) -> list[dict[str, Any]]:
        fields = (await self._planning.used(sample.state.draft.content)).fields if sample.state.draft else ()
        rows: list[dict[str, Any]] = []
        async with self._reading.connect() as conn:
            example = await _example(conn, sample)
            for address in sample.to:
                key = self._keys.address_key(address)
                contact, name, known = await holder(conn, key) or (STRANGER, *example)
                known |= await standing.field_of(conn, contact) if contact != STRANGER else {}
                used = {field: known.get(field, field) for field in fields}
                rows.append(payload_row(contact, (address, name, key), sample.lists, used))
        return rows


async def _example(conn: AsyncConnection, sample: Sample) -> tuple[str, dict[str, str]]:
    """Return name and fields of the first contact of the frozen audience, nothing where there is none."""
    if sample.state.audience is None:
        return "", {}
    a, c, r = AUDIENCES.c, CONTACTS.c, ROWS.c
    query = (
        select(c.name, c.fields)
        .join(ROWS, r.contact == c.id)
        .join(AUDIENCES, a.id == r.audience)
        .where((a.mailing == sample.mailing) & (a.object == sample.state.audience.object))
        .order_by(r.n, r.idx)
        .limit(1)
    )
    row = (await conn.execute(query)).one_or_none()
    return ("", {}) if row is None else (row[0], orjson.loads(row[1]))
