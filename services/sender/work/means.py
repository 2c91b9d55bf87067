"""What all workers of a process share."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field

from services.sender.chunks.retry import BackOff
from services.sender.gates.confirm import Confirmation
from services.sender.gates.gates import AccountGate
from services.sender.limits.domains import Domains
from services.sender.limits.pacing import Pacing
from services.sender.limits.rules import Rules
from services.sender.shaping.shaper import Shaper
from services.sender.work.stride import Crowd


@dataclass(frozen=True, slots=True)
class Means:
    """What all workers share.

    Attributes:
        window: Most recipients claimed at once.
        validity: Seconds of a claim.
        signing: Where mails are signed, beside the event loop.
        domains: What is known of the domains to which an account's mail goes.
        crowd: Who is at work.
    """

    confirmation: Confirmation
    pacing: Pacing
    back_off: BackOff
    shaper: Shaper
    window: int
    validity: float
    rules: Rules
    signing: Executor
    domains: Callable[[AccountGate], Domains]
    crowd: Crowd = field(default_factory=Crowd)
