"""Parking a poison message: a pointer to it and the reason go to PARKED, never its body.

The caller acks or terminates the message after this returned; when it raises, the caller hands the message back and
tries again later. Parking the same message twice for the same role within two minutes is one pointer.
"""

import orjson
from nats.aio.client import Client

from shared import clock
from shared.contracts import subjects
from shared.logs import without_addresses

_LONGEST_REASON = 500


async def park(  # noqa: PLR0917 - the pointer has these parts
    nc: Client, service: str, role: str, stream: str, seq: int, reason: str
) -> int:
    """Put a pointer to message `seq` of `stream` into PARKED; return the pointer's own sequence."""
    pointer = {
        "stream": stream,
        "seq": seq,
        "service": service,
        "role": role,
        "reason": without_addresses(reason)[:_LONGEST_REASON],
        "at": clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }
    ack = await nc.jetstream().publish(
        subjects.parked(service, role),
        orjson.dumps(pointer),
        stream=subjects.PARKED,
        headers={"Nats-Msg-Id": f"{service}-{role}-{stream}-{seq}"},
    )
    return ack.seq
