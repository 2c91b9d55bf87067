"""Reading what the ledger of a mailing needs: its events from the log, then its AUDIENCE object, line by line.

Both are read in pieces, so memory is flat. Signs of life are read only where somebody is in doubt, from the first plan
of the mailing on. An object that is missing, cut off or not what AudienceFrozen says is a gap of the mailing.
"""

import zlib
from collections.abc import AsyncIterator
from typing import Any

import orjson

from services.reporting.ledger import Ledger, Report
from shared.contracts import subjects
from shared.eventlog.errors import EventLogError, MissingError
from shared.eventlog.objects import Objects
from shared.eventlog.store import EventLog

_BATCH = 200


async def read_ledger(log: EventLog, audiences: Objects, mailing: str) -> Report | None:
    """Return the ledger of a mailing as of now; None where there is no such mailing."""
    stop = (await log.bounds()).last_seq
    ledger = Ledger(mailing)
    own = [subjects.mailing(mailing), subjects.plans_of(mailing), subjects.chunks_of(mailing)]
    known = False
    async for commits in log.scan(own, stop=stop, batch=_BATCH):
        known = True
        for commit in commits:
            for record in commit.events:
                ledger.add(record)
    if not known:
        return None
    if ledger.in_doubt:
        signs = [subjects.ALL_ENGAGEMENT, subjects.ALL_CONSENT, subjects.ALL_FEEDBACK]
        async for commits in log.scan(signs, start=ledger.first_plan, stop=stop, batch=_BATCH):
            for commit in commits:
                for record in commit.events:
                    ledger.add(record)
    if ledger.frozen is not None:
        await _name_all(ledger, audiences, ledger.frozen.object)
    report = ledger.close()
    report.position = stop
    return report


async def _name_all(ledger: Ledger, audiences: Objects, name: str) -> None:
    recipients, trailer = 0, None
    try:
        async for line in audience_lines(audiences.open(name)):
            if isinstance(line, dict):
                trailer = line if line.get("end") else None
            elif line[3] is not None:
                recipients += 1
                ledger.name(line[0], line[4], line[5])
    except MissingError:  # the ledger goes on with what the log says, and says so
        ledger.wrong(f"AUDIENCE object {name} is missing")
        return
    except (EventLogError, zlib.error, orjson.JSONDecodeError) as error:  # the same
        ledger.wrong(f"AUDIENCE object {name} cannot be read: {error}")
        return
    if trailer is None:
        ledger.wrong(f"AUDIENCE object {name} ends before its end")
    elif ledger.frozen is not None and not trailer["recipients"] == recipients == ledger.frozen.recipients:
        promised = ledger.frozen.recipients
        ledger.wrong(f"AUDIENCE object {name} holds {recipients} recipients, the log says {promised}")


async def audience_lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[Any]:
    """Yield the lines of an AUDIENCE object: header and trailer as dicts, contacts as lists."""
    stream, rest = zlib.decompressobj(), b""
    async for piece in pieces:
        *lines, rest = (rest + stream.decompress(piece)).split(b"\n")
        for line in orjson.loads(b"[" + b",".join(filter(None, lines)) + b"]"):
            yield line
    rest += stream.flush()
    for line in rest.split(b"\n"):
        if line:
            yield orjson.loads(line)
