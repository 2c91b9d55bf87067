"""The life of a service process: connect, start, answer, stop in good order.

`run_service` calls the service's `start`, which registers requests and spawns background tasks, and then waits. SIGTERM
or SIGINT: no new requests, tasks get their grace, connections drain, exit 0. A background task that ends with an
exception, or a connection that was closed for good, ends the process with exit 1: whoever supervises it starts it
anew, and all state is in the log.
"""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop
from faststream.nats import NatsBroker, NatsRouter
from nats.aio.client import Client

from shared import logs, tracing
from shared.eventlog.connection import connect, tried
from shared.messaging import process
from shared.messaging.broker import create_broker
from shared.messaging.ops import Check, OpsServer
from shared.settings import Settings

logger = logging.getLogger(__name__)

_CLEANUP_SECONDS = 10.0
_CANCELS = 5
_GARBAGE = 5_000
"""Objects more than before at which Python looks for cycles, once a service has started."""

Cleanup = Callable[[], Awaitable[None]]
Start = Callable[["Service"], Awaitable[None]]


class Service:
    """What a service's `start` works with.

    Attributes:
        name: `planner`, `sender`, ...
        settings: Its settings.
        nc: Connection for the event log, buckets and everything but requests.
        broker: FastStream broker for requests; started after `start` returned.
        stopping: Set when the service is to stop: loops look at it, long work waits on it.
    """

    def __init__(self, name: str, settings: Settings) -> None:
        self.name = name
        self.settings = settings
        self.nc: Client = Client()
        self.stopping = asyncio.Event()
        self.broker: NatsBroker = create_broker(settings, name, on_closed=self._connection_closed)
        self._ops = OpsServer(settings.ops_host, settings.ops_port, _asyncapi)
        self._tasks: dict[asyncio.Task[None], float] = {}
        self._cleanups: list[Cleanup] = []
        self._failure: BaseException | None = None
        self._ended = asyncio.Event()

    def include(self, router: NatsRouter) -> None:
        """Answer its requests once the service is up."""
        self.broker.include_router(router)

    def spawn(self, name: str, work: Coroutine[Any, Any, None], *, grace: float = 0.0) -> asyncio.Task[None]:
        """Run `work` in the background. At the stop it has `grace` seconds to see `stopping` before it is cancelled."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = grace
        task.add_done_callback(self._task_ended)
        return task

    def on_stop(self, cleanup: Cleanup) -> None:
        """Call `cleanup` when everything else has stopped; last registered, first called."""
        self._cleanups.append(cleanup)

    def check(self, name: str, check: Check) -> None:
        """Let readiness depend on `check`, which returns "" or what is wrong."""
        self._ops.checks[name] = check

    def stop(self) -> None:
        """Begin to stop."""
        self.stopping.set()
        self._ended.set()

    def fail(self, reason: BaseException) -> None:
        """End the process with exit 1 because of `reason`."""
        if self._failure is None and not self.stopping.is_set():
            self._failure = reason
            self._ended.set()

    async def run(self, start: Start) -> int:
        """Live until told to stop or something fails; return the exit code."""
        settings = self.settings
        if not await self._connected():
            return 0
        process.show(settings.data_dir, lambda: self.nc.is_connected)
        self._ops.checks["nats"] = lambda: "" if self.nc.is_connected else "not connected"
        await self._ops.start()
        starting = asyncio.create_task(self._started(start))
        try:
            if await self._done_first(starting):
                starting.result()
                await self._ended.wait()
        except Exception as error:  # noqa: BLE001 - whatever kept it from starting ends it, in good order
            self.fail(error)
        await self._shut_down()
        if self._failure is not None:
            logger.error("ended: %s", self._failure or repr(self._failure), exc_info=self._failure)
            return 1
        logger.info("stopped")
        return 0

    async def _started(self, start: Start) -> None:
        await start(self)
        await tried(self.broker.connect)
        await self.broker.start()
        self._ops.ready = True
        logger.info("up", extra={"ops_port": self.settings.ops_port})

    async def _connected(self) -> bool:
        """Connect, however long the server takes; False when told to stop meanwhile."""
        settings = self.settings
        connecting = asyncio.create_task(
            connect(
                settings.nats_url,
                user=settings.nats_user,
                password=settings.nats_password,
                ca_file=settings.nats_ca_file,
                name=self.name,
                on_closed=self._connection_closed,
            )
        )
        if not await self._done_first(connecting):
            return False
        self.nc = connecting.result()
        return True

    async def _done_first(self, task: asyncio.Task[Any]) -> bool:
        """Wait for `task`; False, and it is cancelled, when the service is told to stop before."""
        told = asyncio.create_task(self._ended.wait())
        await asyncio.wait((task, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait((task,), timeout=_CLEANUP_SECONDS)
            return False
        return True

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)

    async def _connection_closed(self) -> None:
        self.fail(ConnectionError("the connection to NATS was closed for good: credentials refused?"))

    async def _shut_down(self) -> None:
        self._ops.ready = False
        self.stopping.set()
        with contextlib.suppress(Exception):  # requests under way end with the process otherwise
            await self.broker.stop()
        await asyncio.gather(*(self._end(task, grace) for task, grace in list(self._tasks.items())))
        for cleanup in reversed(self._cleanups):
            await self._cleaned(cleanup)
        with contextlib.suppress(Exception):  # what could not be flushed is repeated by its idempotent owner
            async with asyncio.timeout(_CLEANUP_SECONDS):
                await self.nc.drain()
        await self._ops.stop()

    async def _end(self, task: asyncio.Task[None], grace: float) -> None:
        if grace:
            await asyncio.wait([task], timeout=grace)
        for _ in range(_CANCELS):  # one may be swallowed: `asyncio.wait_for` of Python 3.11 does, ending just then
            if task.done():
                return
            task.cancel()
            await asyncio.wait([task], timeout=_CLEANUP_SECONDS / _CANCELS)
        if not task.done():  # it ends with the process
            logger.warning("stop: the task %s does not end", task.get_name())

    async def _cleaned(self, cleanup: Cleanup) -> None:
        try:
            async with asyncio.timeout(_CLEANUP_SECONDS):
                await cleanup()
        except Exception:  # the others are still cleaned up; the state is in the log
            logger.exception("cleaning up failed")


def _asyncapi() -> str:
    from shared.contracts import asyncapi  # noqa: PLC0415 - models of all that is said: only who asks for it pays

    return asyncapi.text()


async def _live(name: str, settings: Settings, start: Start, garbage: int) -> int:
    service = Service(name, settings)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, service.stop)

    async def begin(service: Service) -> None:
        await start(service)
        gc.collect()
        gc.freeze()  # what is there now stays: to go through all of it again and again takes a tenth of a second a time
        gc.set_threshold(garbage)

    return await service.run(begin)


def run_service(name: str, settings: Settings, start: Start, *, garbage: int = _GARBAGE) -> None:
    """Run a service to its end and exit with its code. Call it last in `services/<name>/app.py`.

    Args:
        name: planner, sender or reporting.
        settings: From its environment.
        start: Makes it work; the service is ready when it returns.
        garbage: Objects more than before at which Python looks for cycles.
    """
    logs.set_up(name, settings.log_level, settings.log_format)
    tracing.turn_on(name, settings)
    try:
        code = uvloop.run(_live(name, settings, start, garbage))
    finally:
        tracing.turn_off()
    raise SystemExit(code)
