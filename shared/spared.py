"""What a start is spared: optional parts of libraries that nobody here uses, and looking for garbage while it loads.

nats-py loads aiohttp, where that is installed, for NATS over WebSockets: a sixth of what it takes to start a service.
FastStream loads uvicorn to serve ASGI: 4 MiB in each service that speaks by it. Both are there for the sake of NiceGUI.
What is loaded stays, and to go through all of it time and again takes a quarter of a start. The packages of programs
import this before anything else; it loads nothing by itself.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


class Without:
    """Finds `module`, when somebody imports it, and has it load as if `optional` were not installed."""

    def __init__(self, module: str, optional: str) -> None:
        self._module, self._optional = module, optional

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return where the module is; None for all others, which Python looks for as usual."""
        if name != self._module or self._optional in sys.modules:
            return None
        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            load = spec.loader.exec_module
            spec.loader.exec_module = lambda module: self._loaded(load, module)  # type: ignore[method-assign]
        return spec

    def _loaded(self, load: Callable[[ModuleType], None], module: ModuleType) -> None:
        sys.modules[self._optional] = None  # type: ignore[assignment]  # so Python says that it is not there
        try:
            load(module)
        finally:
            del sys.modules[self._optional]


_LOADED = 200_000
"""Objects made before the collector looks: a service sets its own number once it has started."""

gc.set_threshold(_LOADED)
sys.meta_path.insert(0, Without("nats.aio.transport", "aiohttp"))
sys.meta_path.insert(0, Without("faststream._internal._compat", "uvicorn"))
