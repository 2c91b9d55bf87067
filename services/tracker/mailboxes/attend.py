"""What a tracker does about mailboxes while it is connected to the log: reads them, and tries out those it is asked to.

It ends when the tracker stops, before spool and connection are let go, so that another tracker can go on at once.
"""

import asyncio
import contextlib
import logging
from dataclasses import dataclass

from services.tracker.mailboxes.probe import try_mailbox
from services.tracker.mailboxes.reader import Desk, Means
from services.tracker.mailboxes.watch import Passwords, Watch
from services.tracker.recorder import Recorder
from shared.contracts import subjects
from shared.contracts.commands import MailboxProbe, ProbeResult
from shared.eventlog.errors import EventLogError
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from shared.ids import new_id
from shared.keys import KeyRing
from shared.messaging.ask import answer
from shared.messaging.parking import park

log = logging.getLogger(__name__)

ROLE = "mailbox"

_AGAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How a tracker treats IMAP servers; see `TrackerSettings`."""

    seconds: float
    lease: float
    mail_bytes: int


async def attend(
    events: EventLog, desk: Desk, recorder: Recorder, *, keys: KeyRing, patience: Patience, stop: asyncio.Event
) -> None:
    """Read the mailboxes until told to stop."""
    nc = events.nc
    passwords = Passwords(Bucket(nc, subjects.SECRETS), keys)

    async def parked(mailbox: str, uid: int, reason: str) -> int:
        return await park(nc, "tracker", ROLE, f"imap:{mailbox}", uid, reason)

    async def probe(body: bytes) -> bytes:
        try:
            result = await try_mailbox(MailboxProbe.model_validate_json(body), passwords, patience.seconds)
        except Exception as error:  # whatever it was, the planner gets an answer, and the mailbox is not working
            log.exception("the probe of a mailbox failed")
            result = ProbeResult(working=False, detail=f"The tracker failed: {type(error).__name__}.")
        return result.model_dump_json().encode()

    means = Means(
        desk=desk,
        bucket=Bucket(nc, subjects.MAILBOXES),
        password=passwords.of,
        away=lambda: recorder.away,
        park=parked,
        worker=new_id(),
        seconds=patience.seconds,
        lease=patience.lease,
        mail_bytes=patience.mail_bytes,
    )
    await answer(nc, subjects.probe_mailbox(), "tracker", probe)
    watching = asyncio.create_task(_watched(events, means))
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (watching, stopping):
            task.cancel()
        await asyncio.gather(watching, stopping, return_exceptions=True)


async def _watched(events: EventLog, means: Means) -> None:
    while True:
        with contextlib.suppress(EventLogError, TimeoutError):  # the log is not there just now: begun again
            await Watch(events, means).run()
        await asyncio.sleep(_AGAIN_S)
