"""Journal of opens and clicks (`evt.engagement.<p>`, written by the tracker), micro-batched and raw."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from pydantic import ConfigDict

from shared.contracts.envelope import DomainEvent

AgentClass = Literal[
    "none",  # no user agent was sent
    "prefetch",  # the request said so itself (Sec-Purpose)
    "google-proxy",  # GoogleImageProxy: normally a person who opened the mail in Gmail
    "gmail-prefetch",  # Gmail's image fetch soon after delivery
    "apple-privacy",  # a bare `Mozilla/5.0`: Apple Mail Privacy Protection
    "yahoo-proxy",
    "automat",  # scanners, crawlers, HTTP libraries
    "mail-client",
    "mobile",
    "desktop",
    "other",
]
"""What the user agent looks like; one input of the verdict, never the verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One request for a pixel or a tracked link, as it came; no model, as they are made and written by the thousand.

    Attributes:
        id: Fact id, derived from token, second, method and source: the same hit twice is one fact.
        link: Link id for clicks, None for opens.
        agent: Class of the user agent (`AgentClass`), never the string itself.
        network: Address prefix (/24 or /48).
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    id: str
    kind: Literal["open", "click"]
    mailing: str
    n: int
    index: int
    link: int | None = None
    at: datetime
    method: str = "GET"
    agent: str = ""
    network: str = ""


class HitsRecorded(DomainEvent):
    """Hits that came within a few milliseconds."""

    TYPE: ClassVar[str] = "engagement.hits_recorded/1"

    hits: list[Hit]


EVENTS = (HitsRecorded,)
