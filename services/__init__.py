"""The four services, each a process of its own; they meet in shared.contracts and on the wire."""

import shared.spared  # noqa: F401 - before anything loads what is spared
