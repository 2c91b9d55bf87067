"""The Python client for programs of others: tell of contacts, ask and command, follow the feed. See docs/producers.md.

It speaks the documented surface on NATS and nothing else; whatever it does, docs/asyncapi.json says how to do without.
"""

from shared.client.contacts import Contacts
from shared.client.feed import CursorLostError, Event
from shared.client.posthaste import Posthaste, RefusedError
from shared.contracts.intake import ContactRemovedFromList, ContactUpserted
from shared.messaging.client import UnansweredError

__all__ = [
    "ContactRemovedFromList",
    "ContactUpserted",
    "Contacts",
    "CursorLostError",
    "Event",
    "Posthaste",
    "RefusedError",
    "UnansweredError",
]
