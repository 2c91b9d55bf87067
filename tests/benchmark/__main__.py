"""`python -m tests.benchmark [names] [--quick]`: all benchmarks, or those named, each beside its yardstick.

One JSON object a line on standard output; what goes on is told on standard error. All of them take about five minutes
on two cores, `--quick` a minute: its figures only show that everything works.
"""

import argparse
from collections.abc import Callable

import uvloop

from tests.benchmark import pipeline
from tests.benchmark.outcome import note


def _pipeline(asked: argparse.Namespace) -> None:
    recipients = asked.recipients or (5_000 if asked.quick else pipeline.RECIPIENTS)
    rounds = asked.rounds or (1 if asked.quick else pipeline.ROUNDS)
    uvloop.run(pipeline.run(recipients, rounds, asked.connections))


BENCHMARKS: dict[str, Callable[[argparse.Namespace], None]] = {
    "pipeline": _pipeline,
}


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--quick", action="store_true", help="small numbers: does everything work?")
    parser.add_argument("--recipients", type=int, default=0, help="of each mailing (pipeline, replay)")
    parser.add_argument("--rounds", type=int, default=0, help="measured mailings (pipeline)")
    parser.add_argument("--connections", type=int, default=pipeline.CONNECTIONS, help="to the relay")
    asked = parser.parse_args()
    if unknown := set(asked.names) - BENCHMARKS.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(BENCHMARKS)}")
    for name in asked.names or BENCHMARKS:
        note(name)
        BENCHMARKS[name](asked)


if __name__ == "__main__":
    main()
