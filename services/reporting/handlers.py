"""The queries that reporting answers, as request handlers.

Each waits until the views hold what the log held at `at_least` (at most five seconds, else `not_yet`), reads one
snapshot and answers with the position it stands for. Views that are paused stand in `paused` of the answer: what they
hold is true as of an earlier position.
"""

import re
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass

import orjson
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from services.reporting import customers, feed_page, pages, queries, status_page
from services.reporting.directory import Directory
from services.reporting.ledger_reader import read_ledger
from services.reporting.queries import Data
from services.reporting.rejudging import rejudge
from services.reporting.relay import Relay
from services.reporting.views.providers import health
from shared import clock
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, Refusal
from shared.database import reading
from shared.eventlog.checkpoints import CHECKPOINTS
from shared.eventlog.errors import EventLogError
from shared.eventlog.objects import Objects
from shared.eventlog.projector import Projector
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.keys import KeyRing
from shared.messaging.answers import Caller, CommandRouter

PATIENCE = 5.0

Read = Callable[[AsyncConnection], Awaitable[Data | Refusal]]

_NO_MAILING = Refusal(code="mailing_unknown", message="There is no such mailing.", field="mailing")


@dataclass(frozen=True)
class Reports:
    """What the handlers read from."""

    engine: AsyncEngine
    projector: Projector
    directory: Directory
    log: EventLog
    audiences: Objects
    parked: Reader
    out: Reader
    relay: Relay
    keys: KeyRing
    patience: float = PATIENCE

    async def answer(self, caller: Caller, read: Read) -> Answer | Refusal:
        """Wait for the position, read, answer."""
        try:
            await self.projector.wait_for(caller.at_least, self.patience)
        except TimeoutError:  # the caller asks again, or without the position
            message = f"The reports are at position {self.projector.position}, not yet at {caller.at_least}."
            return Refusal(code="not_yet", message=message, field="at_least")
        except EventLogError as error:  # the service ends by itself and is started again
            return Refusal(code="unavailable", message=f"The reports stand still: {error}")
        position = self.projector.position
        try:
            async with reading(self.engine).connect() as conn:
                data = await read(conn)
        except pages.UnknownFilterError:
            message = f"The outcome is one of {', '.join(pages.FILTERS)}."
            return Refusal(code="invalid", message=message, field="outcome")
        except pages.BadCursorError:
            return Refusal(code="invalid", message="Give `next` of the page before, as it came.", field="after")
        if isinstance(data, Refusal):
            return data
        paused = {"paused": dict(self.projector.paused)} if self.projector.paused else {}
        return Answer(ok=True, position=position, data=data | paused)


def router_of(reports: Reports) -> CommandRouter:
    """Return the router with all queries that reporting answers."""
    router = CommandRouter("reporting")
    _register_counts(router, reports)
    _register_pages(router, reports)
    _register_providers(router, reports)
    _register_for_integrators(router, reports)
    _register_checks(router, reports)
    return router


def _register_counts(router: CommandRouter, reports: Reports) -> None:
    @router.query(commands.Campaigns)
    async def _(_: commands.Campaigns, caller: Caller) -> Answer | Refusal:
        async def read(conn: AsyncConnection) -> Data:
            return {"campaigns": await queries.campaigns(conn)}

        return await reports.answer(caller, read)

    @router.query(commands.Mailings)
    async def _(query: commands.Mailings, caller: Caller) -> Answer | Refusal:
        async def read(conn: AsyncConnection) -> Data:
            return {"mailings": await queries.mailings(conn, query.campaign, clock.now().timestamp(), query.limit)}

        return await reports.answer(caller, read)

    @router.query(commands.Status)
    async def _(query: commands.Status, caller: Caller) -> Answer | Refusal:
        async def read(conn: AsyncConnection) -> Data | Refusal:
            found = await queries.status(conn, query.mailing, clock.now().timestamp())
            return _NO_MAILING if found is None else found | {"position": reports.projector.position}

        return await reports.answer(caller, read)

    @router.query(commands.Links)
    async def _(query: commands.Links, caller: Caller) -> Answer | Refusal:
        async def read(conn: AsyncConnection) -> Data | Refusal:
            found = await queries.links(conn, query.mailing)
            return _NO_MAILING if found is None else {"links": found}

        return await reports.answer(caller, read)

    @router.query(commands.Timeline)
    async def _(query: commands.Timeline, caller: Caller) -> Answer | Refusal:
        return await reports.answer(caller, lambda conn: queries.timeline(conn, query.mailing))


def _register_pages(router: CommandRouter, reports: Reports) -> None:
    @router.query(commands.Recipients)
    async def _(query: commands.Recipients, caller: Caller) -> Answer | Refusal:
        def read(conn: AsyncConnection) -> Awaitable[Data]:
            return pages.recipients(conn, query.mailing, query.outcome, query.after, query.limit, search=query.search)

        return await reports.answer(caller, read)

    @router.query(commands.CustomerCounts)
    async def _(query: commands.CustomerCounts, caller: Caller) -> Answer | Refusal:
        async def read(conn: AsyncConnection) -> Data | Refusal:
            return await customers.counts(conn, query.mailing) or _NO_MAILING

        return await reports.answer(caller, read)

    @router.query(commands.Doubts)
    async def _(query: commands.Doubts, caller: Caller) -> Answer | Refusal:
        return await reports.answer(caller, lambda conn: pages.doubts(conn, query.mailing, query.after, query.limit))

    @router.query(commands.LogLines)
    async def _(query: commands.LogLines, caller: Caller) -> Answer | Refusal:
        return await reports.answer(caller, lambda conn: pages.log_lines(conn, query.mailing, query.after, query.limit))

    @router.query(commands.ConsentHistory)
    async def _(query: commands.ConsentHistory, caller: Caller) -> Answer | Refusal:
        async def read(conn: AsyncConnection) -> Data | Refusal:
            address = query.address or (await pages.address_of(conn, query.contact) if query.contact else None)
            if not address:
                return Refusal(code="contact_unknown", message="There is no such contact.", field="contact")
            return {"acts": await pages.consent_acts(conn, reports.keys.address_key(address))}

        return await reports.answer(caller, read)


def _register_providers(router: CommandRouter, reports: Reports) -> None:
    @router.query(commands.ProviderHealth)
    async def _(query: commands.ProviderHealth, caller: Caller) -> Answer | Refusal:
        since = clock.millis() - query.hours * 3_600_000

        async def read(conn: AsyncConnection) -> Data:
            rows = await health(conn, query.account, since)
            return {"rows": [{**row, "hour": queries.iso(int(str(row["hour"])))} for row in rows]}

        return await reports.answer(caller, read)


def _register_for_integrators(router: CommandRouter, reports: Reports) -> None:
    @router.query(commands.Outcomes)
    async def _(query: commands.Outcomes, caller: Caller) -> Answer | Refusal:
        def read(conn: AsyncConnection) -> Awaitable[Data]:
            return pages.outcomes_of(conn, query.mailing, query.source, query.ids)

        return await reports.answer(caller, read)

    @router.query(commands.CustomerStatuses)
    async def _(query: commands.CustomerStatuses, caller: Caller) -> Answer | Refusal:
        return await reports.answer(caller, lambda conn: status_page.statuses(conn, query))

    @router.query(commands.FeedEvents)
    async def _(query: commands.FeedEvents, _caller: Caller) -> Answer | Refusal:
        return await feed_page.events(reports.out, reports.relay, query)

    @router.query(commands.ContactProblems)
    async def _(query: commands.ContactProblems, _caller: Caller) -> Answer | Refusal:
        return await _parked(reports.parked, subjects.parked("planner", "intake"), query.after, query.limit)


def _register_checks(router: CommandRouter, reports: Reports) -> None:
    @router.command(commands.RejudgeHits)
    async def _(wanted: commands.RejudgeHits, _caller: Caller) -> Answer | Refusal:
        judged = await rejudge(reports.engine, wanted)
        return _NO_MAILING if judged is None else Answer(ok=True, position=reports.projector.position, data=judged)

    @router.query(commands.VerifyLedger)
    async def _(query: commands.VerifyLedger, _caller: Caller) -> Answer | Refusal:
        report = await read_ledger(reports.log, reports.audiences, query.mailing)
        if report is None:
            return _NO_MAILING
        return Answer(ok=True, position=report.position, data=asdict(report) | {"balanced": report.balanced})

    @router.query(commands.ParkedMessages)
    async def _(query: commands.ParkedMessages, _caller: Caller) -> Answer | Refusal:
        return await _parked(reports.parked, subjects.ALL_PARKED, query.after, query.limit)

    @router.query(commands.ViewHealth)
    async def _(_: commands.ViewHealth, caller: Caller) -> Answer | Refusal:
        end = (await reports.log.bounds()).last_seq

        async def read(conn: AsyncConnection) -> Data:
            rows = [row._mapping for row in await conn.execute(select(CHECKPOINTS))]  # noqa: SLF001 - public
            views = [
                {
                    **{name: row[name] for name in ("name", "version", "state", "reason", "failed_seq")},
                    "position": row["seq"],
                    "lag": max(0, end - row["seq"]),
                }
                for row in sorted(rows, key=lambda row: str(row["name"]))
            ]
            return {"views": views, "end": end, "directory": reports.directory.position}

        return await reports.answer(caller, read)


async def _parked(parked: Reader, subject: str, after: str, limit: int) -> Answer | Refusal:
    if not re.fullmatch(r"[0-9]{0,18}", after):
        return Refusal(code="invalid", message="Give `next` of the page before, as it came.", field="after")
    found = await parked.batch(subject, int(after or 0) + 1, limit)
    rows = []
    for stored in found:
        pointer = orjson.loads(stored.data)
        rows.append(pointer | {"seq": stored.seq, "message": pointer.get("seq", 0)})
    return Answer(ok=True, data={"rows": rows, "next": str(found[-1].seq) if len(found) == limit else ""})
