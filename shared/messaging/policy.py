"""What every consumer does with a message it could not handle; the defaults of the libraries would drop it.

FastStream's default (reject on error) terminates a message for good when its handler raises. Here it is always handed
back with a delay that grows, and parked by a decision of ours, never by a limit of the server.
"""

import random

from faststream import AckPolicy

ACK_POLICY = AckPolicy.NACK_ON_ERROR

HANDLERS = 32  # requests of one kind that a process works on at a time; the rest waits in its connection
GRACE = 15.0  # seconds a running request may take to end when the service stops

_SHORTEST = 0.2
_LONGEST = 5.0  # a message handed back for longer would block its lane: it counts as pending

_jitter = random.SystemRandom()


def nak_delay(delivered: int) -> float:
    """Return for how many seconds to hand a message back that was delivered `delivered` times."""
    longest = min(_LONGEST, _SHORTEST * 2.0 ** min(max(delivered, 1) - 1, 10))
    return _jitter.uniform(longest / 2, longest)
