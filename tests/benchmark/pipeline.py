"""The whole way of a mailing, beside `smtp-source`: from the answer to its start to the report that it is completed.

Everything is real: nats-server with fsync on every append, planner, one sender, tracker, reporting, SMTP to Postfix'
`smtp-sink`, no limit, contacts from an imported CSV file. The yardstick sends mails of the same mean size over as many
connections to the same sink, before and after each round. A round counts only if the sink took, the report accepted and
the ledger planned the same number. The sink and whoever drives it share the machine in both cases. On a slow or busy
machine no round begins after two and a half minutes; `rounds` tells how many there were.
"""

import asyncio
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from shared.contracts import commands, subjects
from shared.contracts.envelope import Commit
from shared.contracts.mailing import MailingCompleted, SendingStarted
from shared.eventlog.follow import Follower
from shared.eventlog.reader import Reader
from shared.eventlog.scan import scan
from tests.benchmark import shop
from tests.benchmark.outcome import Outcome, Spent, Yardstick, emit, note
from tests.benchmark.plant import Plant
from tests.benchmark.relay import Source
from tests.benchmark.usage import Meter
from tests.harness.waiting import until

RECIPIENTS = 100_000
SMALL = 10_000
ROUNDS = 5
CONNECTIONS = 32
SOURCE_MAILS = 50_000
MAIL_SIZE = 11_300
_BUDGET = 150.0
_PATIENCE = 180.0
_OWN_HEADERS = (
    "Nats-Stream",
    "Nats-Subject",
    "Nats-Sequence",
    "Nats-Time-Stamp",
    "Nats-Num-Pending",
    "Nats-Last-Sequence",
)
_RECORD = 34  # what the store keeps beside subject, headers and body of a message


@dataclass(frozen=True)
class Sent:
    """One mailing that went out. Times in seconds from the answer to the start command."""

    mails: int
    seconds: float
    until_started: float
    until_first: float
    until_last: float
    spent: dict[str, Spent]
    others: float
    log_bytes: float
    log_stored: float

    @property
    def rate(self) -> float:
        """Mails a second."""
        return self.mails / self.seconds


class _Life:
    """The events of one mailing as they come."""

    def __init__(self) -> None:
        self.started_at = 0.0
        self.completed = asyncio.get_running_loop().create_future()

    def apply(self, commit: Commit) -> None:
        """Note start and completion."""
        for record in commit.events:
            if isinstance(record.event, SendingStarted):
                self.started_at = record.recorded_at.timestamp()
            elif isinstance(record.event, MailingCompleted) and not self.completed.done():
                self.completed.set_result(commit.seq)


async def send(plant: Plant, account: str, contacts: str) -> Sent:
    """Send one mailing and measure it."""
    mailing, recipients = await plant.mailing(account, contacts)
    life = _Life()
    follower = Follower(plant.log, [subjects.mailing(mailing)], life.apply)
    await follower.start(await plant.log.last_seq(subjects.mailing(mailing)))
    taken = plant.sink.taken()
    meter = Meter.start(plant.pids())
    await plant.ask(commands.ScheduleMailing(mailing=mailing))
    began, answered_at = time.perf_counter(), time.time()
    await until(lambda: plant.sink.taken() > taken, _PATIENCE, every=0.002)
    until_first = time.perf_counter() - began
    await until(lambda: plant.sink.taken() - taken >= recipients, _PATIENCE, every=0.02)
    until_last = time.perf_counter() - began
    seq = await asyncio.wait_for(life.completed, _PATIENCE)
    status = await plant.ask(commands.Status(mailing=mailing), seq)
    seconds = time.perf_counter() - began
    spent, others = meter.spent(), meter.others()
    await follower.stop()
    got = plant.sink.taken() - taken
    if status["status"] != "Completed" or not status["accepted"] == status["planned"] == got == recipients:
        raise RuntimeError(f"{recipients} recipients, the sink took {got}, the report says {status}")
    body, stored = await _log_bytes(plant, mailing)
    return Sent(
        recipients,
        seconds,
        life.started_at - answered_at,
        until_first,
        until_last,
        spent,
        others,
        body / recipients,
        stored / recipients,
    )


async def _log_bytes(plant: Plant, mailing: str) -> tuple[int, int]:
    """Return the bytes of the mailing in EVENTS beyond its plan: the bodies, and all that is stored (compressible)."""
    body = stored = 0
    filters = [subjects.chunks_of(mailing), subjects.mailing(mailing)]
    last = (await plant.log.bounds()).last_seq
    async for found in scan(Reader(plant.connection, subjects.EVENTS), filters, start=1, stop=last, batch=500):
        for message in found:
            headers = [(k, v) for k, v in message.headers.items() if k not in _OWN_HEADERS]
            body += len(message.data)
            stored += len(message.data) + len(message.subject) + _RECORD + sum(len(k) + len(v) + 4 for k, v in headers)
    return body, stored


async def run(recipients: int = RECIPIENTS, rounds: int = ROUNDS, connections: int = CONNECTIONS) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="posthaste-bench-") as name:
        folder = Path(name)
        await asyncio.to_thread(folder.chmod, 0o755)  # the sink gives up root
        async with Plant(folder) as plant:
            append_ms = await plant.append_ms()
            account = await plant.account(connections)
            small = min(SMALL, recipients)
            await plant.contacts(shop.write_csv(folder / "small.csv", small), "small")
            await plant.contacts(shop.write_csv(folder / "large.csv", recipients), "large")
            source = Source(min(SOURCE_MAILS, recipients), MAIL_SIZE, connections)
            first = await send(plant, account, "small")
            note(f"{small} recipients: {_told(first)}")
            sent = list[Sent]()
            rates = [await source.rate(plant.sink)]
            give_up = time.monotonic() + _BUDGET
            for number in range(rounds):
                if sent and time.monotonic() > give_up:
                    break
                sent.append(await send(plant, account, "large"))
                rates.append(await source.rate(plant.sink))
                note(f"round {number + 1}: smtp-source {rates[-2]:.0f}, {rates[-1]:.0f}; {_told(sent[-1])}")
            await _check_rest(plant)
    _print(first, sent, rates, append_ms, connections)


async def _check_rest(plant: Plant) -> None:
    for mailing in (await plant.ask(commands.Mailings()))["mailings"][:1]:
        ledger = await plant.ask(commands.VerifyLedger(mailing=mailing["mailing"]))
        if not ledger["balanced"] or ledger["pending"]:
            raise RuntimeError(f"the ledger of {mailing['mailing']} says {ledger}")


def _told(sent: Sent) -> str:
    cpu = {name: round(spent.cpu_s / sent.mails * 1e6, 1) for name, spent in sent.spent.items()}
    return (
        f"{sent.rate:.0f} mails/s, first after {sent.until_first:.2f} s, last {sent.until_last:.2f} s, "
        f"report {sent.seconds:.2f} s, us a mail {cpu}, others {sent.others:.1f} s"
    )


def _print(first: Sent, sent: list[Sent], rates: list[float], append_ms: float, connections: int) -> None:
    middle = sorted(sent, key=lambda each: each.rate)[len(sent) // 2]
    ratios = [each.rate / statistics.mean(rates[i : i + 2]) for i, each in enumerate(sent)]
    emit(
        Outcome(
            "pipeline",
            middle.rate,
            "mails/s",
            Yardstick("smtp-source -d", statistics.median(rates)),
            statistics.median(ratios),
            middle.spent,
            {
                "rounds": [each.rate for each in sent],
                "ratios": ratios,
                "recipients": middle.mails,
                "connections": connections,
                "cpu_us_a_mail": {name: s.cpu_s / middle.mails * 1e6 for name, s in middle.spent.items()},
                "others_cpu_s": [each.others for each in sent],
                "append_ms": append_ms,
            },
        )
    )
    starts = [each.until_first for each in sent]
    started = statistics.median(each.until_started for each in sent)
    emit(
        Outcome("start_latency", statistics.median(starts), "s", more={"sending_started_s": started, "rounds": starts})
    )
    emit(Outcome("report_latency", statistics.median(each.seconds - each.until_last for each in sent), "s"))
    emit(Outcome("log_bytes", middle.log_bytes, "bytes/mail", more={"budget": 60, "stored": middle.log_stored}))
    peaks = {name: max(each.spent[name].peak_rss_mib for each in sent) for name in middle.spent}
    before = {name: spent.peak_rss_mib for name, spent in first.spent.items()}
    largest = max(value for name, value in peaks.items() if name != "sink")
    more: dict[str, object] = {f"at_{first.mails}": before, f"at_{middle.mails}": peaks}
    emit(Outcome("peak_rss", largest, "MiB", more=more))
