"""How fast a mailbox of 5,000 mixed mails is taken in, from IMAP to the log, by a tracker as a process of its own.

The yardstick is `classify`'s work alone: the same mails read in this process, nothing fetched and nothing kept. The
IMAP server (pymap, in Python) takes its part of the same cores. Memory is compared with that after a tenth of them.
"""

import asyncio
import tempfile
import time
from pathlib import Path

from deploy.apply import apply
from services.tracker.feedback.reading import read
from shared.eventlog.connection import connect
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.benchmark.usage import peak_mib
from tests.harness.imap import ImapServer
from tests.harness.mailbag import KINDS, mixed
from tests.harness.nats import NatsServer
from tests.harness.office import Office
from tests.harness.tracker import TrackerProcess
from tests.harness.waiting import until

MAILS = 5_000


async def _taken(office: Office, count: int) -> bool:
    return (await office.reading("m1")).taken >= count


async def run(count: int = MAILS) -> None:
    """Measure and print."""
    mails = mixed(count)
    began = time.perf_counter()
    for raw in mails:
        read(raw)
    alone = count / (time.perf_counter() - began)
    imap = ImapServer().start()
    with tempfile.TemporaryDirectory() as folder:
        server = NatsServer(Path(folder) / "nats").start()
        tracker = TrackerProcess(server.url, Path(folder) / "tracker")
        try:
            nc = await connect(server.url, name="benchmark")
            await apply(nc)
            await asyncio.to_thread(imap.deliver, mails)
            await tracker.start()
            office = Office(nc)
            began = time.perf_counter()
            await office.add("m1", imap.port)
            await until(lambda: _taken(office, count // 10), 60)
            early = peak_mib(tracker.pid)
            await until(lambda: _taken(office, count), 300)
            rate = count / (time.perf_counter() - began)
            peak = peak_mib(tracker.pid)
            await office.has(count - count // KINDS)
            await nc.close()
        finally:
            tracker.kill()
            server.kill()
            imap.stop()
    more: dict[str, object] = {"peak_mib": peak, "peak_mib_after_a_tenth": early, "mails": count}
    emit(Outcome("mailbox", rate, "mails/s", Yardstick("read alone", alone), rate / alone, more=more))
