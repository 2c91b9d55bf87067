"""Optional parts of libraries that nobody here uses, left out because loading them would slow every start.

nats-py loads aiohttp, where that is installed, for NATS over WebSockets: a sixth of what it takes to start a service.
aiohttp is there for the sake of NiceGUI. The packages of programs import this before anything else.
"""

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


load_without("nats.aio.transport", "aiohttp")
