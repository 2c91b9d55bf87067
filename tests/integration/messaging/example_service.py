"""A small service, run as a process of its own by test_service.py: `python -m ... <failure>`."""

import asyncio
import contextlib
import gc
import sys
from typing import ClassVar

from shared.contracts.api import Endpoint
from shared.contracts.commands import Answer, Command, Refusal
from shared.messaging.answers import Caller, CommandRouter
from shared.messaging.service import Service, run_service
from shared.settings import Settings


class Do(Command):
    """Do as told."""

    NAME: ClassVar[str] = "example.do"

    what: str


async def start(service: Service) -> None:
    """Answer `Do`; one task ends in good order within its grace."""
    requests = CommandRouter(service.name, endpoints=[Endpoint(Do, "planner", "POST", "/do", "send")])
    failing = asyncio.Event()

    @requests.command(Do)
    async def do(command: Do, _caller: Caller) -> Answer | Refusal:
        if command.what == "fail":
            failing.set()
        return Answer(ok=True, data={"did": command.what, "left_to_the_collector": len(gc.get_objects())})

    async def fail_when_told() -> None:
        await failing.wait()
        raise RuntimeError("told to fail by someone@example.com")

    async def finish_work() -> None:
        await service.stopping.wait()
        await asyncio.to_thread(print, "finished its work", flush=True)

    async def go_on_when_cancelled() -> None:
        with contextlib.suppress(asyncio.CancelledError):  # as `wait_for` does that ends in the same moment
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async def cleanup() -> None:
        await asyncio.to_thread(print, "cleaned up", flush=True)

    service.include(requests.router)
    service.spawn("failing", fail_when_told())
    service.spawn("working", finish_work(), grace=5)
    service.spawn("stubborn", go_on_when_cancelled())
    service.on_stop(cleanup)
    if "refuse" in sys.argv:
        raise ValueError("cannot start")
    if "hang" in sys.argv:
        await asyncio.to_thread(print, "starting", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    run_service("example", Settings(), start)
