"""Our programs as processes of their own, but for their start: forked from one that has loaded the program already.

A service spends one to three seconds of processor time on loading what it is made of, and tests start hundreds of them.
Each test process keeps a nursery for every program: `python -m tests.harness.forks MODULE`, which loads it, waits for
orders, and forks a child that goes on with the program's `main` in the environment it was told. The child has its own
pid, gets its own signals and dies with the nursery, which dies with the test process. What is read while a program
loads (`WHILE_LOADING`) makes a nursery of its own, and a place to crash or another clock no nursery at all.

`POSTHASTE_TEST_STARTS=real` starts everything anew; so does `make chaos`.
"""

import asyncio
import ctypes
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, BinaryIO

from deploy.supervisor import Kept, Process

COMMAND_LINE = "cli.main"
WHILE_LOADING = (
    *("MALLOC_ARENA_MAX", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_"),
    *("COLUMNS", "PYTHONPATH", "POSTHASTE_ANSWER_SECONDS"),
)
_NEVER = ("POSTHASTE_CRASH_AT", "POSTHASTE_CLOCK_SKEW")
_ROOT = Path(__file__).parents[2]
_LARGEST = 131_072
_PR_SET_PDEATHSIG = 1


def forks(environment: Mapping[str, str]) -> bool:
    """Tell whether a program with that environment may be forked."""
    real = os.environ.get("POSTHASTE_TEST_STARTS") == "real" or os.environ.get("POSTHASTE_CHAOS") == "all"
    return not real and not any(environment.get(name) for name in _NEVER)


class Forked:
    """A process like `subprocess.Popen` has it; the nursery waits for it and tells its exit code by a pipe."""

    def __init__(self, pid: int, status: int) -> None:
        self.pid = pid
        self._status = status
        self._code: int | None = None
        os.set_blocking(status, False)

    @property
    def returncode(self) -> int | None:
        """Its exit code, negative for a signal; None while it runs."""
        return self.poll()

    def poll(self) -> int | None:
        """Return its exit code; None while it runs."""
        if self._code is None:
            try:
                told = os.read(self._status, 16)
            except BlockingIOError:  # it runs
                return None
            os.close(self._status)
            self._code = int(told) if told else -signal.SIGKILL  # its nursery died, and it with it
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""
        while (code := self.poll()) is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
        return code

    async def ended(self) -> int:
        """Return its exit code once it has ended, while others go on."""
        while (code := self.poll()) is None:
            loop = asyncio.get_running_loop()
            readable = loop.create_future()
            loop.add_reader(self._status, lambda told=readable: told.done() or told.set_result(None))
            try:
                await readable
            finally:
                loop.remove_reader(self._status)
        return code

    def send_signal(self, number: int) -> None:
        """Send it a signal, if it still runs."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it by force."""
        self.send_signal(signal.SIGKILL)


class ForkedKept(Kept):
    """A program being kept running that begins as a fork."""

    async def _launch(self, output: BinaryIO) -> Process:
        command, environment = self.program.command, self.program.environment
        if command[:2] != (sys.executable, "-m") or not forks(environment):
            return await super()._launch(output)
        module, arguments = command[2], command[3:]
        process = await asyncio.to_thread(
            spawn, module, arguments, environment=environment, out=output.fileno(), error=output.fileno()
        )
        assert isinstance(process, Forked)
        return _Awaited(process)


@dataclass(frozen=True)
class _Awaited:
    """A fork as asyncio has processes."""

    fork: Forked

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.fork.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code; None while it runs."""
        return self.fork.poll()

    async def wait(self) -> int:
        """Return its exit code once it has ended."""
        return await self.fork.ended()


class Nursery:
    """One process that has loaded a module and forks children of it."""

    def __init__(self, module: str, environment: Mapping[str, str]) -> None:
        self._module = module
        self._lock = threading.Lock()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.harness.forks", module, str(theirs.fileno())],
                env=dict(environment),
                cwd=_ROOT,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )

    def spawn(self, arguments: Sequence[str], environment: Mapping[str, str], out: int, error: int) -> Forked:
        """Fork a child that writes to these files; the first one waits until the program is loaded."""
        order = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        ours, theirs = os.pipe()
        try:
            with self._lock:
                socket.send_fds(self._control, [order], [out, error, theirs])
                pid = self._control.recv(16)
        finally:
            os.close(theirs)
        if not pid:
            raise RuntimeError(f"{self._module} could not be loaded: what it said stands on standard error")
        return Forked(int(pid), ours)


@cache
def _nursery(module: str, loading: tuple[tuple[str, str], ...]) -> Nursery:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("POSTHASTE_")}
    return Nursery(module, plain | dict(loading))


def spawn(
    module: str,
    arguments: Sequence[str] = (),
    *,
    environment: Mapping[str, str],
    out: IO[bytes] | int | None = None,
    error: IO[bytes] | int | None = None,
) -> "Forked | subprocess.Popen[bytes]":
    """Start `python -m module arguments`, in a session of its own; output goes where ours goes unless told."""
    if not forks(environment):
        command = [sys.executable, "-m", module, *arguments]
        return subprocess.Popen(command, env=dict(environment), stdout=out, stderr=error, start_new_session=True)
    loading = tuple((name, environment[name]) for name in WHILE_LOADING if environment.get(name))
    return _nursery(module, loading).spawn(arguments, environment, _fileno(out, 1), _fileno(error, 2))


def _fileno(file: IO[bytes] | int | None, ours: int) -> int:
    if file is None:
        return ours
    return file if isinstance(file, int) else file.fileno()


async def ran(module: str, arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes, bytes]:
    """Run it to its end; return its exit code and what it wrote to both outputs."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as error:
        process = await asyncio.to_thread(spawn, module, arguments, environment=environment, out=out, error=error)
        try:
            ended = process.ended() if isinstance(process, Forked) else asyncio.to_thread(process.wait)
            code = await asyncio.wait_for(ended, 60)
        finally:
            process.kill()
        out.seek(0)
        error.seek(0)
        return code, out.read(), error.read()


def _nurse(control: socket.socket) -> list[str]:
    """Fork a child for each order; return in the child, with the arguments of its program."""
    children: dict[int, int] = {}  # pid -> where to tell its exit code
    wakes, woken = os.pipe()
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(woken)
    while True:
        ready, _, _ = select.select([control, wakes], [], [])
        if wakes in ready:
            os.read(wakes, 4_096)
            _reap(children)
        if control not in ready:
            continue
        order, files, _, _ = socket.recv_fds(control, _LARGEST, 3)
        if not order:
            raise SystemExit(0)
        if pid := os.fork():
            children[pid] = files.pop()
            for file in files:
                os.close(file)
            continue
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for file in (wakes, woken, *children.values()):
            os.close(file)
        arguments = _born(json.loads(order), *files)
        control.send(str(os.getpid()).encode())
        control.close()
        return arguments


def _reap(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        told = children.pop(pid)
        os.write(told, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(told)


def _born(order: dict[str, list[str] | dict[str, str]], out: int, error: int, told: int) -> list[str]:
    """Become the process that was ordered."""
    os.close(told)
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for place, file in enumerate((nothing, out, error)):
        os.dup2(file, place)
    for file in {nothing, out, error} - {0, 1, 2}:
        os.close(file)
    os.environ.clear()
    os.environ.update(order["environment"])  # type: ignore[arg-type]
    return list(order["arguments"])


def main() -> None:
    """Load the module that the command line names, and nurse its children."""
    module, control = sys.argv[1], int(sys.argv[2])
    program = import_module(module)
    if not hasattr(program, "main"):  # a package, as `python -m` takes it
        program = import_module(f"{module}.__main__")
    if module == COMMAND_LINE:
        program.program()  # with every noun
    gc.collect()
    gc.freeze()
    if (threads := len(list(Path("/proc/self/task").iterdir()))) != 1:
        raise SystemExit(f"{module} has {threads} threads once it is loaded: it cannot be forked")
    sys.argv = [module, *_nurse(socket.socket(fileno=control))]
    sys.exit(program.main())


if __name__ == "__main__":
    main()
