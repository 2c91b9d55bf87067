"""Events and origins for tests that care about the log and not about what it says."""

from shared.clock import now
from shared.contracts.campaign import CampaignClosed, CampaignOpened
from shared.contracts.envelope import DomainEvent, Origin
from shared.ids import new_id


def opened(name: str = "Spring", size: int = 0) -> DomainEvent:
    """Return an event, `size` bytes longer than need be."""
    return CampaignOpened(name=name + "x" * size, lists=["customers"])


def closed() -> DomainEvent:
    """Return another event."""
    return CampaignClosed()


def origin(command_id: str = "") -> Origin:
    """Return the origin of the command `command_id`, or of a new one."""
    return Origin(command_id=command_id or new_id(), source="test", time=now(), correlation_id="corr", principal="me")
