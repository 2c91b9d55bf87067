"""What a start is spared: optional parts of libraries that nobody here uses, and looking for garbage while it loads.

nats-py loads aiohttp, where that is installed, for NATS over WebSockets: a sixth of what it takes to start a service.
FastStream loads uvicorn to serve ASGI: 4 MiB in each service that speaks by it. Both are there for the sake of NiceGUI.
What is loaded stays, and to go through all of it time and again takes a quarter of a start. The packages of programs
import this before anything else.
"""

import gc
import sys
from importlib import import_module


def load_without(module: str, optional: str) -> None:
    """Import `module` as if `optional`, which it can do without, were not installed; others import that as usual."""
    if module in sys.modules or optional in sys.modules:
        return
    sys.modules[optional] = None  # type: ignore[assignment]  # so Python says that it is not there
    try:
        import_module(module)
    finally:
        del sys.modules[optional]


_LOADED = 200_000
"""Objects made before the collector looks: a service sets its own number once it has started."""

gc.set_threshold(_LOADED)
load_without("nats.aio.transport", "aiohttp")


def faststream() -> None:
    """Load FastStream as if there were no uvicorn; for the packages of those who speak by it."""
    load_without("faststream._internal._compat", "uvicorn")
