"""Keeps programs running: starts them, watches them, starts them again after a growing pause when they end.

A child dies with the supervisor, even when that is killed (PDEATHSIG), and has a process group of its own, so that a
Ctrl-C reaches the supervisor alone and a stop takes grandchildren along. Output goes to a log file for each program,
bounded by keeping one older part.
"""

import asyncio
import contextlib
import ctypes
import logging
import os
import shutil
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import BinaryIO, Protocol

logger = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 10.0
_STEADY_SECONDS = 30.0
_LARGEST_LOG = 50 * 2**20
_PROBE_SECONDS = 2.0
_HOPELESS = 3  # ended so often while it should get ready


class StartError(RuntimeError):
    """A program did not get ready; the message ends with the last lines of its log."""


@dataclass(frozen=True)
class Program:
    """One program to keep running.

    Attributes:
        name: What people call it; also the name of its log file.
        command: Program and arguments.
        environment: Its whole environment.
        ready_url: Answers 200 when it is ready; "" where running is enough.
        grace: Seconds it has between SIGTERM and SIGKILL.
        ready_within: Seconds it may take to get ready.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready_url: str = ""
    grace: float = 20.0
    ready_within: float = 30.0


class Process(Protocol):
    """What is needed of a process: `asyncio.subprocess.Process` has it."""

    @property
    def pid(self) -> int:
        """Its process id, that of its group as well."""

    @property
    def returncode(self) -> int | None:
        """Its exit code; None while it runs."""

    async def wait(self) -> int:
        """Return its exit code once it has ended."""


class Kept:
    """One program being kept running."""

    def __init__(self, program: Program, log: Path) -> None:
        self.program = program
        self.log = log
        self.starts = 0
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wanted = False

    @property
    def pid(self) -> int:
        """Its process id, 0 while it is down."""
        running = self._process is not None and self._process.returncode is None
        return self._process.pid if running and self._process is not None else 0

    async def start(self) -> None:
        """Start it and keep it running; returns when it is ready, raises `StartError` when it does not get there."""
        if not self._wanted:
            self._wanted = True
            await self._spawn()
            self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")
        await self.wait_ready()

    async def wait_ready(self) -> None:
        """Return when it is ready."""
        deadline = time.monotonic() + self.program.ready_within
        before = self.starts
        while not await self.is_ready():
            if time.monotonic() > deadline or self.starts - before >= _HOPELESS:
                raise StartError(f"{self.program.name} did not get ready. Its log {self.log} ends:\n{self.tail()}")
            await asyncio.sleep(0.05)

    async def is_ready(self) -> bool:
        """Ask whether it is ready now."""
        if not self.pid:
            return False
        return not self.program.ready_url or await asyncio.to_thread(_answers, self.program.ready_url)

    async def stop(self) -> None:
        """End it in good order, by force when its grace is over; it stays down."""
        self._wanted = False
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.wait([self._keeper])
            self._keeper = None
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            self.send(signal.SIGTERM)
            with contextlib.suppress(TimeoutError):  # its grace is over: by force
                await asyncio.wait_for(process.wait(), self.program.grace)
        with contextlib.suppress(ProcessLookupError):  # nobody is left of its group
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    def send(self, number: signal.Signals) -> None:
        """Send a signal to its process group; what it ends is started again."""
        if self.pid:
            os.killpg(self.pid, number)

    def tail(self, size: int = 2_000) -> str:
        """Return the end of its log."""
        with contextlib.suppress(FileNotFoundError):  # it has written nothing
            return self.log.read_bytes()[-size:].decode(errors="replace")
        return ""

    async def _spawn(self) -> None:
        _bound(self.log)
        with self.log.open("ab") as output:
            self._process = await self._launch(output)
        self.starts += 1

    async def _launch(self, output: BinaryIO) -> Process:
        return await asyncio.create_subprocess_exec(
            *self.program.command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(self.program.environment),
            start_new_session=True,
            preexec_fn=_die_with(os.getpid()),
        )

    async def _keep(self) -> None:
        pause = _FIRST_PAUSE
        while self._wanted and self._process is not None:
            began = time.monotonic()
            while self._process.returncode is None:
                _bound(self.log)
                with contextlib.suppress(TimeoutError):  # it runs: look at the size of its log now and then
                    await asyncio.wait_for(self._process.wait(), 30.0)
            with contextlib.suppress(ProcessLookupError):  # it left nobody behind
                os.killpg(self._process.pid, signal.SIGKILL)
            if time.monotonic() - began > _STEADY_SECONDS:
                pause = _FIRST_PAUSE
            how = self._process.returncode
            logger.warning("%s ended (%s), starting it again in %.1f s", self.program.name, how, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
            try:
                await self._spawn()
            except OSError as error:  # no memory, no file handles: the next round tries again
                logger.error("%s cannot be started: %s", self.program.name, error)  # noqa: TRY400 - no use in a trace


def _die_with(parent: int) -> Callable[[], None]:
    def in_child() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the kernel knew
            os._exit(1)

    return in_child


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=_PROBE_SECONDS) as reply:  # noqa: S310 - an address of our own
            return bool(reply.status == 200)
    except (OSError, ValueError, HTTPException):  # not there yet, or not ready
        return False


def _bound(log: Path) -> None:
    """Keep a log file below its bound. The program appends, so cutting it behind a copy loses nothing but a moment."""
    if log.exists() and log.stat().st_size > _LARGEST_LOG:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
