"""`python -m tests.benchmark [names] [--quick]`: all benchmarks, or those named, each beside its yardstick.

One JSON object a line on standard output; what goes on is told on standard error. All of them take about five minutes
on two quiet cores, `--quick` one minute: its figures only show that everything works. After one that fails the others
still run; the exit status is 1.
"""

import argparse
import asyncio
import signal
import time
import traceback
from collections.abc import Callable, Coroutine

import uvloop

from tests.benchmark import (
    classify,
    compose,
    dkim,
    eventlog,
    flood,
    forecast,
    hits,
    imports,
    mailbox,
    pipeline,
    planning,
    projection,
    rates,
    relays,
    replay,
    segments,
    starts,
    wire,
)
from tests.benchmark.outcome import note


def _pipeline(asked: argparse.Namespace) -> Coroutine[None, None, None]:
    recipients = asked.recipients or (5_000 if asked.quick else pipeline.RECIPIENTS)
    rounds = asked.rounds or (1 if asked.quick else pipeline.ROUNDS)
    return pipeline.run(recipients, rounds, asked.connections)


def _replay(asked: argparse.Namespace) -> Coroutine[None, None, None]:
    return replay.run(asked.recipients or (5_000 if asked.quick else replay.RECIPIENTS))


def _dkim(asked: argparse.Namespace) -> Coroutine[None, None, None]:
    recipients = asked.recipients or (2_000 if asked.quick else dkim.RECIPIENTS)
    return dkim.run(recipients, asked.rounds or (1 if asked.quick else dkim.ROUNDS), asked.connections)


def _wire(asked: argparse.Namespace) -> None:
    wire.run(5_000 if asked.quick else wire.MAILS, 1 if asked.quick else wire.ROUNDS)


BENCHMARKS: dict[str, Callable[[argparse.Namespace], Coroutine[None, None, None] | None]] = {
    "pipeline": _pipeline,
    "dkim": _dkim,
    "replay": _replay,
    "projection": lambda asked: projection.run(10_000 if asked.quick else projection.MAILS),
    "import": lambda asked: imports.run(asked.recipients or (10_000 if asked.quick else imports.ROWS)),
    "segments": lambda asked: segments.run(asked.recipients or (10_000 if asked.quick else segments.CONTACTS_MANY)),
    "planning": lambda asked: planning.run(5_000 if asked.quick else planning.CONTACTS),
    "compose": lambda asked: compose.run(2_000 if asked.quick else compose.MAILS),
    "classify": lambda asked: classify.run(
        500 if asked.quick else classify.MAILS, 1 if asked.quick else classify.ROUNDS
    ),
    "mailbox": lambda asked: mailbox.run(500 if asked.quick else mailbox.MAILS),
    "wire": _wire,
    "relays": lambda asked: relays.run(1_000 if asked.quick else relays.MAILS, 1 if asked.quick else relays.ROUNDS),
    "hits": lambda asked: hits.run(1.0 if asked.quick else hits.SECONDS),
    "flood": lambda asked: flood.run(
        asked.recipients or (5_000 if asked.quick else flood.RECIPIENTS),
        asked.rounds or (1 if asked.quick else flood.ROUNDS),
    ),
    "forecast": lambda asked: forecast.run(100 if asked.quick else forecast.RECIPIENTS),
    "eventlog": lambda _: eventlog.run(),
    "starts": lambda asked: starts.run(4 if asked.quick else starts.STARTS),
    "rates": lambda asked: rates.run(30.0 if asked.quick else rates.HOUR),
}
"""By name, in the order in which they run; a coroutine is run in an event loop of its own."""
UNASKED = ("rates", "starts")
"""Run only when named, or quickly: an hour, six minutes."""


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small numbers: does everything work?")
    parser.add_argument("--recipients", type=int, default=0, help="of each mailing (pipeline, replay), rows (import)")
    parser.add_argument("--rounds", type=int, default=0, help="measured mailings (pipeline)")
    parser.add_argument("--connections", type=int, default=pipeline.CONNECTIONS, help="to the relay (pipeline)")
    asked = parser.parse_args()
    if unknown := set(asked.names) - BENCHMARKS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, as on Ctrl-C
    failed = [name for name in asked.names or _usual(asked) if not _done(name, asked)]
    raise SystemExit(1 if failed else 0)


def _usual(asked: argparse.Namespace) -> list[str]:
    return [name for name in BENCHMARKS if asked.quick or name not in UNASKED]


def _done(name: str, asked: argparse.Namespace) -> bool:
    began = time.monotonic()
    try:
        if (work := BENCHMARKS[name](asked)) is not None:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(work)
    except Exception:  # noqa: BLE001 - whatever it was: told, and the next one runs
        traceback.print_exc()
        note(f"{name}: failed after {time.monotonic() - began:.0f} s")
        return False
    note(f"{name}: {time.monotonic() - began:.0f} s")
    return True


if __name__ == "__main__":
    main()
