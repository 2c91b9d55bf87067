"""Named tracking URLs: saved, listed, deleted, and put into what a mailing or a single mail says.

The id comes from the name, so a name stands for one URL. A mailing takes the URL as it is when it is drafted: what
changes later changes no mailing.
"""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from services.planner.idempotency import Act
from services.planner.parts import Parts
from shared import tokens
from shared.contracts import commands, subjects
from shared.contracts.commands import Answer, DraftMailing, LanguageVariant, Refusal, SendMail
from shared.contracts.envelope import DomainEvent, EventRecord
from shared.contracts.tracking_url import TrackingUrlDeleted, TrackingUrlSaved, fill, folded, mentions
from shared.ids import derived_id

Result = Answer | Refusal
W = TypeVar("W", DraftMailing, SendMail, LanguageVariant)

_LONGEST = 1_500
_BODIES = ("html", "text")


def id_of(name: str) -> str:
    """Return the id of the URL that is called so."""
    return derived_id("tracking url", folded(name))


async def save(parts: Parts, wanted: commands.SaveTrackingUrl, act: Act) -> Result:
    """Have the name stand for the URL."""
    if not tokens.is_target(wanted.url) or len(wanted.url.encode()) > _LONGEST:
        message = f"Give a whole http or https URL, without spaces, of {_LONGEST} bytes at most."
        return Refusal(code="tracking_url_invalid", message=message, field="url")
    return await _record(parts, wanted.name, TrackingUrlSaved(name=wanted.name, url=wanted.url), act)


async def delete(parts: Parts, wanted: commands.DeleteTrackingUrl, act: Act) -> Result:
    """Offer the name no more."""
    if folded(wanted.name) not in {folded(name) for name, _ in await _all(parts)}:
        return Refusal(code="tracking_url_unknown", message=f"There is no tracking URL {wanted.name}.", field="name")
    return await _record(parts, wanted.name, TrackingUrlDeleted(), act)


async def _record(parts: Parts, name: str, event: DomainEvent, act: Act) -> Result:
    position = await parts.log.append_journal(subjects.tracking_url(id_of(name)), [event], origin=act.origin())
    return Answer(ok=True, position=position, data={"name": name})


async def listed(parts: Parts, _: commands.TrackingUrls) -> Result:
    """List them by name."""
    rows = [{"name": name, "url": url} for name, url in await _all(parts)]
    return Answer(ok=True, data={"tracking_urls": sorted(rows, key=lambda row: folded(row["name"]))})


async def put_in(parts: Parts, wanted: W) -> W | Refusal:
    """Return a draft with URLs in place of their names."""
    bodies = {field: getattr(wanted, field) for field in _BODIES}
    if not any(map(mentions, bodies.values())):
        return wanted
    urls = {folded(name): url for name, url in await _all(parts)}
    for field, body in bodies.items():
        filled = fill(body, urls, html=field == "html")
        if filled.unknown:
            message = f"line {filled.line}: There is no tracking URL {filled.unknown}: make it first."
            return Refusal(code="tracking_url_unknown", message=message, field=field, line=filled.line)
        bodies[field] = filled.source
    return wanted.model_copy(update=bodies)


async def _all(parts: Parts) -> list[tuple[str, str]]:
    """Return name and URL of each."""
    last: dict[str, EventRecord] = {}
    async for commits in parts.log.scan([subjects.ALL_TRACKING_URLS]):
        for commit in commits:
            for record in commit.events:
                last[record.subject] = record
    saved = [record.event for record in last.values() if isinstance(record.event, TrackingUrlSaved)]
    return [(event.name, event.url) for event in saved]


HANDLERS: dict[type[commands.Command], Callable[[Parts, Any, Act], Awaitable[Result]]] = {
    commands.SaveTrackingUrl: save,
    commands.DeleteTrackingUrl: delete,
}
QUERIES: dict[type[commands.Query], Callable[[Parts, Any], Awaitable[Result]]] = {commands.TrackingUrls: listed}
