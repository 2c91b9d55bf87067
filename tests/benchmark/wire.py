"""How fast one process puts mails on the wire, journals included.

Twenty connections, 10 KB a mail, windows of 25 handed over one ahead; the yardstick is Postfix `smtp-source` with as
many connections and the same size on the same `smtp-sink`, in turns.
"""

import resource
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import uvloop

from tests.benchmark.lines import put
from tests.benchmark.outcome import Outcome, Yardstick, emit
from tests.benchmark.relay import Sink, tool

CONNECTIONS = 20
BODY = b"Message-ID: <x@example.com>\nSubject: x\n\n" + (b"x" * 74 + b"\n") * 136
MAILS, ROUNDS = 40_000, 3


async def ours(port: int, mails: int, folder: Path) -> tuple[float, float]:
    """Return mails a second and microseconds of CPU a mail."""
    used = _cpu()
    fate = await put(port, [b"to%d@example.org" % index for index in range(mails)], BODY, CONNECTIONS, folder)
    if fate.outcomes != {"accepted": mails}:
        raise RuntimeError("the sink refused a mail")
    return mails / fate.seconds, (_cpu() - used) / mails * 1e6


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
