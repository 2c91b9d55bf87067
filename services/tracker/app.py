"""The tracker process: what the public sees comes in by HTTP, facts go out to the log.

In: `GET /o/{recipient}.gif`, `GET /c/{recipient}/{link}`, `GET /v/{view}`, `GET|POST /u/{token}` and `/s/{token}`,
`POST /hooks/{provider}`, `/healthz`; uploaded mails from the planner (`desk.take`). Out: HitsRecorded on
`evt.engagement.<p>`, OptedOut and OptedIn on `evt.consent.<p>`, what came back on `evt.feedback.<p>`; comments, replies
and the words of the pages in PEOPLE.
Unlike the other services it does not wait for the broker: HTTP is served from the first moment, the log is attached
when it is reached, and again when the connection was closed for good; until then everything is spooled.
"""

import asyncio
import gc
import logging
import signal
from functools import partial

import uvloop

from services.tracker import handed, metrics
from services.tracker.mailboxes.attend import attend
from services.tracker.notes import Notes
from services.tracker.recorder import Log
from services.tracker.server import Tracker, TrackerSettings
from shared import languages, logs, tracing
from shared.contracts import subjects
from shared.eventlog.ack_publisher import AckPublisher
from shared.eventlog.connection import connect
from shared.eventlog.documents import Documents
from shared.eventlog.errors import EventLogError
from shared.eventlog.reader import Reader
from shared.eventlog.store import EventLog
from shared.messaging import process
from shared.messaging.ask import answer, ask
from shared.messaging.ops import OpsServer

log = logging.getLogger(__name__)

GARBAGE = 5_000
"""Objects more than before at which Python looks for cycles."""

VIEW_SECONDS = 5.0
"""How long a sender may take to show a mail."""

_PAUSE = 1.0


async def reach_log(settings: TrackerSettings, tracker: Tracker, stop: asyncio.Event) -> None:
    """Keep the recorder attached to the log, for ever."""
    while True:
        closed = asyncio.Event()

        async def on_closed(closed: asyncio.Event = closed) -> None:
            closed.set()

        try:
            nc = await connect(
                settings.nats_url,
                user=settings.nats_user,
                password=settings.nats_password,
                ca_file=settings.nats_ca_file,
                name="tracker",
                on_closed=on_closed,
            )
            taken = partial(handed.take, inbox=Documents(nc, subjects.INBOX), desk=tracker.desk)
            await answer(nc, subjects.desk(), "tracker", taken)
        except Exception as error:  # noqa: BLE001 - whatever it is: hits are spooled, and it is tried again
            log.error("no connection to NATS: %s", error)  # noqa: TRY400 - the cause is in the message
        else:
            events, notes = EventLog(nc), Notes(AckPublisher.of(nc))
            tracker.recorder.attach(Log(events, notes, partial(getattr, nc, "is_connected")))
            tracker.names.attach(Reader(nc, subjects.PEOPLE).kept)
            tracker.payloads.attach(Reader(nc, subjects.PAYLOADS).last)
            tracker.views.attach(partial(ask, nc, subjects.view(), seconds=VIEW_SECONDS))
            mailboxes = attend(
                events,
                tracker.desk,
                tracker.recorder,
                keys=tracker.key_ring,
                patience=settings.patience,
                stop=stop,
            )
            beside = [asyncio.create_task(keep_words(notes)), asyncio.create_task(mailboxes)]
            try:
                await closed.wait()
            finally:
                for task in beside:
                    task.cancel()
                await asyncio.gather(*beside, return_exceptions=True)
            log.error("the connection to NATS was closed for good: credentials refused?")
        await asyncio.sleep(_PAUSE)


async def keep_words(notes: Notes) -> None:
    """Have PEOPLE hold what the pages say, so that consent can be shown with what the person had read."""
    for language in languages.known().values():
        try:
            await notes.keep(language.version, language.words)
        except (EventLogError, OSError) as error:  # tried again with the next connection, or by the next start
            log.warning("the words of the pages in %s were not kept: %s", language.code, error)


async def run(settings: TrackerSettings) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    tracker = Tracker(settings)
    ops = OpsServer(settings.ops_host, settings.ops_port, lambda: "{}")
    process.show(settings.data_dir, lambda: not tracker.recorder.away)
    metrics.SPOOL_BYTES.set_function(lambda: tracker.spooled_bytes)
    ops.checks["broker"] = lambda: "away: hits are spooled" if tracker.recorder.away else ""
    await ops.start()
    ops.ready = True
    gc.set_threshold(GARBAGE)
    reaching = asyncio.create_task(reach_log(settings, tracker, stop))
    try:
        await tracker.serve(stop)
    finally:
        reaching.cancel()
        await asyncio.gather(reaching, return_exceptions=True)
        await ops.stop()


def main() -> None:
    """Run the tracker."""
    settings = TrackerSettings()
    logs.set_up("tracker", settings.log_level, settings.log_format)
    tracing.turn_on("tracker", settings)
    try:
        uvloop.run(run(settings))
    finally:
        tracing.turn_off()


if __name__ == "__main__":
    main()
