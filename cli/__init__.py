"""The command line: what users and operators do, over NATS."""

import shared.spared  # noqa: F401 - before anything loads what is spared
