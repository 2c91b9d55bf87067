"""The command line as people run it: a process of its own for each command."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tests.harness.forks import COMMAND_LINE, ran


@dataclass(frozen=True)
class Ended:
    """What a run of `posthaste` left."""

    code: int
    out: str
    error: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - whatever was printed
        """The one document on standard output."""
        return orjson.loads(self.out)


class Posthaste:
    """Runs `posthaste ARGUMENTS`."""

    def __init__(self, data: Path, url: str = "") -> None:
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("POSTHASTE_")}
        self.environment |= {"POSTHASTE_DATA_DIR": str(data), "POSTHASTE_ANSWER_SECONDS": "5", "COLUMNS": "200"}
        if url:
            self.environment["POSTHASTE_NATS_URL"] = url

    async def __call__(self, *arguments: str) -> Ended:
        """Run it to its end."""
        code, out, error = await ran(COMMAND_LINE, arguments, self.environment)
        assert b"Traceback" not in error, error.decode()
        return Ended(code, out.decode(), error.decode())
