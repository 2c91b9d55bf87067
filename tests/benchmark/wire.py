"""How fast one process puts mails on the wire, journals included.

Twenty connections, 10 KB a mail, windows of 25 handed over one ahead; the yardstick is Postfix `smtp-source` with as
many connections and the same size on the same `smtp-sink`, in turns.
"""

import asyncio
import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import uvloop

from services.sender import wire
from services.sender.journal import Journal
from services.sender.smtp import Mail, Phase, Result
from services.sender.transport import Relay, connect
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.benchmark.relay import Sink, tool

CONNECTIONS = 20
WINDOW = 25
BODY = b"Message-ID: <x@example.com>\nSubject: x\n\n" + (b"x" * 74 + b"\n") * 136
MAILS, ROUNDS = 40_000, 3


def free(index: int) -> None:
    """Hold nothing back."""
    del index


async def _line(relay: Relay, journal: Journal, count: int) -> None:
    connection = await connect(relay)
    message = wire.stuffed(wire.normal(BODY))
    before: asyncio.Future[list[Result]] | None = None
    for first in range(0, count, WINDOW):
        indexes = range(first, min(first + WINDOW, count))
        claim = journal.begin("benchmark", 0, first, indexes)
        envelopes = [wire.envelope(b"from@example.com", b"to%d@example.org" % index) for index in indexes]
        mails = [Mail(index, envelope, message) for index, envelope in zip(indexes, envelopes, strict=True)]
        results, before = before, connection.send(mails, free, claim)
        _check(await results if results is not None else [])
    _check(await before if before is not None else [])
    await connection.quit()


def _check(results: list[Result]) -> None:
    if not all(result.phase == Phase.DOT and result.code == 250 for result in results):
        raise RuntimeError("the sink refused a mail")


async def ours(port: int, mails: int, folder: Path) -> tuple[float, float]:
    """Return mails a second and microseconds of CPU a mail."""
    relay = Relay("127.0.0.1", port, "none")
    journals = [Journal.open(folder, f"{time.time_ns()}", slot) for slot in range(CONNECTIONS)]
    used, began = _cpu(), time.perf_counter()
    await asyncio.gather(*(_line(relay, journal, mails // CONNECTIONS) for journal in journals))
    seconds, spent = time.perf_counter() - began, _cpu() - used
    for journal in journals:
        journal.close()
    return mails / seconds, spent / mails * 1e6


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def theirs(port: int, mails: int, message: Path) -> float:
    """Return the mails a second of `smtp-source`."""
    options = ["-d", "-s", str(CONNECTIONS), "-m", str(mails), "-F", str(message)]
    people = ["-f", "from@example.com", "-t", "to@example.org"]
    began = time.perf_counter()
    subprocess.run([tool("smtp-source"), *options, *people, f"127.0.0.1:{port}"], check=True)
    return mails / (time.perf_counter() - began)


def run(mails: int = MAILS, rounds: int = ROUNDS) -> None:
    """Measure in turns and print the medians."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # the sink gives up root
        (folder / "message").write_bytes(BODY)
        sink = Sink(folder)
        try:
            uvloop.run(sink.ready())
            measured = [
                (theirs(sink.port, mails, folder / "message"), uvloop.run(ours(sink.port, mails, folder)))
                for _ in range(rounds)
            ]
        finally:
            sink.stop()
    rate = statistics.median(result[0] for _, result in measured)
    yardstick = statistics.median(source for source, _ in measured)
    more: dict[str, object] = {"cpu_us_a_mail": statistics.median(result[1] for _, result in measured)}
    emit(Outcome("wire", rate, "mails/s", Yardstick("smtp-source -d", yardstick), rate / yardstick, more=more))
