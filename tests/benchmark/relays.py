"""What a relay's distance, its slowness, its refusals cost: three figures, each beside its yardstick of the same run.

* `far`: 10 ms round trip to Postfix' `smtp-sink`, 20 connections; the yardstick is a reused aiosmtplib connection each.
* `slow`: a relay that takes 50 ms for each message, 50 connections; the yardstick is what these allow, 1,000 a second.
* `mixed`: a tenth of the recipients refused, a tenth deferred once; the yardstick is the same relay taking everything.

The relay of the last two is the scripted server as a process of its own.
"""

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiosmtplib

from tests.benchmark.lines import put
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.benchmark.relay import Sink

ROUND_TRIP, FAR_CONNECTIONS = 0.010, 20
SLOW, SLOW_CONNECTIONS = 0.050, 50
MIXED_CONNECTIONS = 10
MAILS, ROUNDS = 10_000, 3
BODY = b"Message-ID: <x@example.com>\r\nSubject: x\r\n\r\n" + (b"x" * 74 + b"\r\n") * 64


@contextmanager
def process(*arguments: str) -> Iterator[int]:
    """Run a module of the harness that prints its port; yield that."""
    command = [sys.executable, "-m", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        try:
            yield int(running.stdout.readline())
        finally:
            running.kill()


@contextmanager
def scratch() -> Iterator[Path]:
    """Yield a folder that everybody may read, since the sink gives up root."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def run(mails: int = MAILS, rounds: int = ROUNDS) -> None:
    """Measure in turns and print the medians."""
    with scratch() as folder:
        await _far(folder, mails, rounds)
        await _slow(folder, mails, rounds)
        await _mixed(folder, mails, rounds)


async def _far(folder: Path, mails: int, rounds: int) -> None:
    sink = Sink(folder)
    try:
        await sink.ready()
        with process("tests.harness.wire", "--target", str(sink.port), "--delay", str(ROUND_TRIP / 2)) as port:
            measured = [
                (await _rate(folder, port, mails, FAR_CONNECTIONS), await _theirs(port, mails // 4))
                for _ in range(rounds)
            ]
    finally:
        sink.stop()
    rate, yardstick = (statistics.median(column) for column in zip(*measured, strict=True))
    more: dict[str, object] = {"round_trip_ms": 1000 * ROUND_TRIP, "connections": FAR_CONNECTIONS}
    emit(Outcome("far", rate, "mails/s", Yardstick("aiosmtplib, reused", yardstick), rate / yardstick, more=more))


async def _slow(folder: Path, mails: int, rounds: int) -> None:
    with process("tests.harness.smtp", "--log", str(folder / "slow.log"), "--every", str(SLOW)) as port:
        rate = statistics.median([await _rate(folder, port, mails, SLOW_CONNECTIONS) for _ in range(rounds)])
    most = SLOW_CONNECTIONS / SLOW
    more: dict[str, object] = {"reply_ms": 1000 * SLOW, "connections": SLOW_CONNECTIONS}
    emit(Outcome("slow", rate, "mails/s", Yardstick("what it allows", most), rate / most, more=more))


async def _mixed(folder: Path, mails: int, rounds: int) -> None:
    with process("tests.harness.smtp", "--log", str(folder / "mixed.log")) as port:
        measured = [
            (await _mix(folder, port, mails, turn), await _rate(folder, port, mails, MIXED_CONNECTIONS))
            for turn in range(rounds)
        ]
    rate, yardstick = (statistics.median(column) for column in zip(*measured, strict=True))
    more: dict[str, object] = {"rejected": 0.1, "deferred_once": 0.1, "connections": MIXED_CONNECTIONS}
    emit(Outcome("mixed", rate, "mails/s", Yardstick("all taken", yardstick), rate / yardstick, more=more))


async def _rate(folder: Path, port: int, mails: int, connections: int) -> float:
    """Return the mails a second where all are taken."""
    fate = await put(port, [b"to-%d@example.org" % index for index in range(mails)], BODY, connections, folder)
    if fate.outcomes != {"accepted": mails}:
        raise RuntimeError(f"not all were taken: {dict(fate.outcomes)}")
    return mails / fate.seconds


async def _mix(folder: Path, port: int, mails: int, turn: int) -> float:
    """Return the recipients a second that came to their end, those deferred at the second try."""
    names = (b"reject", b"greylist", *[b"to"] * 8)
    everybody = [b"%b-%d-%d@example.org" % (names[index % 10], turn, index) for index in range(mails)]
    first = await put(port, everybody, BODY, MIXED_CONNECTIONS, folder)
    second = await put(port, first.deferred, BODY, MIXED_CONNECTIONS, folder)
    whole = first.outcomes + second.outcomes
    if (whole["accepted"], whole["rejected"], len(first.deferred)) != (mails * 9 // 10, mails // 10, mails // 10):
        raise RuntimeError(f"not as was to be expected: {dict(whole)}")
    return mails / (first.seconds + second.seconds)


async def _theirs(port: int, mails: int) -> float:
    """Return the mails a second of aiosmtplib on as many connections, each used again and again."""

    async def line(client: aiosmtplib.SMTP) -> None:
        for _ in range(mails // FAR_CONNECTIONS):
            await client.sendmail("from@example.com", ["to@example.org"], BODY)

    clients = [aiosmtplib.SMTP(hostname="127.0.0.1", port=port, start_tls=False) for _ in range(FAR_CONNECTIONS)]
    await asyncio.gather(*(client.connect() for client in clients))
    began = time.perf_counter()
    await asyncio.gather(*(line(client) for client in clients))
    seconds = time.perf_counter() - began
    await asyncio.gather(*(client.quit() for client in clients))
    return mails // FAR_CONNECTIONS * FAR_CONNECTIONS / seconds
