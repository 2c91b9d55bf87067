"""Bring the streams of an installation to what deploy/streams.py says, once: the task that containers wait for.

`python -m deploy.apply_streams --replicas 3`, as the NATS user `deploy`, with the settings of a service in the
environment. While the servers are away, or the cluster has no leader yet, it tries again until `--within` seconds are
over; then, and where the servers refuse, it says why and exits with 1.
"""

import argparse
import asyncio
import logging
import sys
import time

from nats.errors import Error as NatsError

from deploy.apply import ApplyError, Change, ServerTooOldError, apply
from shared import logs
from shared.eventlog.connection import connect
from shared.settings import Settings

logger = logging.getLogger("apply_streams")

_PAUSE = 1.0


async def apply_streams(settings: Settings, replicas: int, within: float) -> list[Change]:
    """Return what was changed.

    Raises:
        ApplyError: The servers refuse.
        TimeoutError: They were not ready in time.
    """
    give_up = time.monotonic() + within
    async with asyncio.timeout(within):
        nc = await connect(
            settings.nats_url,
            user=settings.nats_user,
            password=settings.nats_password,
            ca_file=settings.nats_ca_file,
            name="apply streams",
        )
    try:
        while True:
            try:
                return await apply(nc, replicas)
            except ServerTooOldError:
                raise
            except (ApplyError, NatsError, TimeoutError) as error:  # no leader yet, or a server short: ask again
                if time.monotonic() > give_up:
                    raise
                logger.info("not yet: %s", error or type(error).__name__)
                await asyncio.sleep(_PAUSE)
    finally:
        await nc.close()


def main() -> int:
    """Read the arguments, apply, and say what was done."""
    parser = argparse.ArgumentParser(prog="python -m deploy.apply_streams", description="Bring the streams up to date.")
    parser.add_argument("--replicas", type=int, default=1, help="copies: 1 on one server, 3 in a cluster")
    parser.add_argument("--within", type=float, default=120.0, help="seconds to try (default %(default)s)")
    arguments = parser.parse_args()
    settings = Settings()
    logs.set_up("apply_streams", settings.log_level, settings.log_format)
    try:
        changes = asyncio.run(apply_streams(settings, arguments.replicas, arguments.within))
    except (ApplyError, NatsError, TimeoutError) as error:
        logger.error("not applied: %s", error or "the servers did not get ready in time")  # noqa: TRY400 - no use in a trace
        return 1
    for change in changes:
        logger.info("%s", change)
    logger.info("the streams are as they should be", extra={"changes": len(changes)})
    return 0


if __name__ == "__main__":
    sys.exit(main())
