"""Events of the keys that sign mail for a domain (`evt.domain.<id>`, written by the planner).

The private keys are in SECRETS, sealed; here stands only what the domain publishes anyway.
"""

from typing import ClassVar, Literal

from shared.contracts.envelope import DomainEvent

SigningAlgorithm = Literal["rsa", "ed25519"]


class DomainKeyAdded(DomainEvent):
    """There is a key; nothing is signed with it yet. `record` is what the domain has to publish, as a TXT record."""

    TYPE: ClassVar[str] = "domain.key_added/1"

    domain: str
    selector: str
    algorithm: SigningAlgorithm
    record: str


class DomainKeyUsed(DomainEvent):
    """Chunks planned from now on are signed with it, in place of the key of the same algorithm used so far."""

    TYPE: ClassVar[str] = "domain.key_used/1"

    selector: str


class DomainKeyRetired(DomainEvent):
    """No further chunk is signed with it; its private key goes when no chunk needs it any more."""

    TYPE: ClassVar[str] = "domain.key_retired/1"

    selector: str


EVENTS = (DomainKeyAdded, DomainKeyUsed, DomainKeyRetired)
