"""What people type, as what the commands take: names for ids, hours, weekdays, local times, senders."""

import asyncio
import re
from collections.abc import Sequence
from datetime import date, datetime, time
from email.utils import parseaddr

from pydantic import TypeAdapter, ValidationError

from cli.errors import InputError
from cli.session import Session
from shared.addresses import canonical
from shared.contracts import commands
from shared.contracts.commands import Query
from shared.contracts.mailing_settings import Batch, SendingHours, Span, StopRules
from shared.contracts.principals import PERMISSIONS, Permission
from shared.contracts.statuses import ORDER, StatusMap

_LOOKS = 10
_PAUSE = 0.2
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS = re.compile(r"(\d{1,2}(?::\d{2})?)-(\d{1,2}(?::\d{2})?)")


def stop_rules(wanted: str) -> StopRules:
    """Return when a mailing stops by itself, as `bounces=0.1,complaints=0.003,after=200` or `off` say it."""
    if wanted == "off":
        return StopRules(bounces=None, errors=None, complaints=None)
    given = dict(part.partition("=")[::2] for part in wanted.split(",") if part)
    try:
        return StopRules.model_validate({name.strip(): value.strip() for name, value in given.items()})
    except ValidationError as error:
        raise InputError("invalid", f"--stop: {error.errors()[0]['msg']} ({error.errors()[0]['loc'][0]})") from error


async def account_id(session: Session, wanted: str) -> str:
    """Return the id of an account given by id or name."""
    return await _id_of(session, commands.Accounts(), "account", wanted)


async def template_id(session: Session, wanted: str) -> str:
    """Return the id of a template given by id or name, "" for none."""
    return await _id_of(session, commands.Templates(), "template", wanted) if wanted else ""


async def mailbox_id(session: Session, wanted: str) -> str:
    """Return the id of a mailbox given by id or name."""
    return await _id_of(session, commands.Mailboxes(), "mailbox", wanted, rows_in="mailboxes")


async def campaign_id(session: Session, wanted: str) -> str:
    """Return the id of a campaign given by id or name."""
    return await _id_of(session, commands.Campaigns(), "campaign", wanted)


async def token_id(session: Session, wanted: str) -> str:
    """Return the id of a token given by id or name."""
    return await _id_of(session, commands.Tokens(), "token", wanted)


async def user_id(session: Session, wanted: str) -> str:
    """Return the id of a person given by id, name or address."""
    for row in (await session.ask(commands.Users())).get("users", []):
        if canonical(row["email"]) == canonical(wanted):
            return str(row["user"])
    return await _id_of(session, commands.Users(), "user", wanted)


def permissions(wanted: list[str]) -> list[Permission]:
    """Return the permissions that were named; `all` is every one."""
    if unknown := [name for name in wanted if name not in (*PERMISSIONS, "all")]:
        known = ", ".join(PERMISSIONS)
        raise InputError("bad_permission", f"{unknown[0]!r} is no permission. There are {known}, and `all`.")
    return [permission for permission in PERMISSIONS if permission in wanted or "all" in wanted]


async def _id_of(session: Session, query: Query, noun: str, wanted: str, *, rows_in: str = "") -> str:
    """Look the name up; what was made a moment ago may take a moment to show."""
    for _ in range(_LOOKS):
        rows = (await session.ask(query)).get(rows_in or f"{noun}s", [])
        if any(row[noun] == wanted for row in rows):
            return wanted
        named = [str(row[noun]) for row in rows if row.get("name") == wanted]
        if len(named) > 1:
            raise InputError("ambiguous", f"{len(named)} are named {wanted!r}: {', '.join(named)}. Give the id.")
        if named:
            return named[0]
        await asyncio.sleep(_PAUSE)
    raise InputError(f"{noun}_unknown", f"There is no {noun} {wanted!r}. See: posthaste {noun} list")


def sender(text: str) -> tuple[str, str]:
    """Return display name and address of `Name <address>` or an address alone."""
    name, address = parseaddr(text)
    if "@" not in address:
        raise InputError("bad_sender", f"{text!r} is no sender: write 'Name <address>' or an address.")
    return name, address


def local_time(text: str) -> datetime:
    """Return a date and time without zone (`2026-12-24T09:00`)."""
    try:
        return datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError("bad_time", f"{text!r} is no date and time: write it as 2026-12-24T09:00.") from error


def hours(text: str, days: str, holidays: Sequence[str] = (), closed: Sequence[str] = ()) -> SendingHours | None:
    """Return sending hours of `08:00-12:00,13:00-18:00`, of `mon-fri` or `mon,wed`, and of the days that are closed.

    None where nothing of all this was given.
    """
    if not (text or days or holidays or closed):
        return None
    first, *more = [_span(part.strip()) for part in (text or "00:00-00:00").split(",")]
    return SendingHours(
        start=first.start,
        end=first.end,
        more=more,
        weekdays=weekdays(days) if days else list(range(7)),
        holidays=[calendar.upper() for calendar in holidays],
        closed=[day(each) for each in closed],
    )


def _span(text: str) -> Span:
    match = _HOURS.fullmatch(text)
    if match is None:
        raise InputError("bad_hours", f"{text!r} are no hours: write them as 08:00-18:00.")
    try:
        start, end = (time.fromisoformat(_clock(part)) for part in match.groups())
    except ValueError as error:
        raise InputError("bad_hours", f"{text!r}: {error}.") from error
    return Span(start=start, end=end)


def day(text: str) -> date:
    """Return a date (`2026-12-24`)."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise InputError("bad_date", f"{text!r} is no date: write it as 2026-12-24.") from error


def batch(text: str) -> Batch | None:
    """Return the batch of `500/60`: so many recipients in so many minutes; None where nothing was given."""
    size, _, minutes = text.partition("/")
    try:
        return Batch(size=int(size), minutes=int(minutes or 60)) if text else None
    except ValueError as error:
        raise InputError("bad_batch", f"{text!r} is no batch: write it as 500/60, so many in an hour.") from error


def _clock(part: str) -> str:
    hour, _, minute = part.partition(":")
    return f"{int(hour):02}:{minute or '00'}"


def weekdays(text: str) -> list[int]:
    """Return the numbers of `mon-fri`, `mon,wed,fri`, `sat-mon`."""
    chosen: set[int] = set()
    for part in text.lower().split(","):
        first, dash, last = part.strip().partition("-")
        try:
            start = _DAYS.index(first[:3])
            end = _DAYS.index(last[:3]) if dash else start
        except ValueError as error:
            raise InputError("bad_days", f"{text!r} are no weekdays: write them as mon-fri or mon,wed.") from error
        chosen |= {day % 7 for day in range(start, end + 1 if end >= start else end + 8)}
    return sorted(chosen)


def mapping(columns: list[str]) -> dict[str, str]:
    """Return `HEADER=FIELD` pairs as a mapping."""
    pairs = {}
    for text in columns:
        header, equals, field = text.partition("=")
        if not (equals and header.strip() and field.strip()):
            raise InputError("bad_column", f"{text!r}: write it as HEADER=FIELD, for example 'E-Mail=email'.")
        pairs[header.strip()] = field.strip()
    return pairs


def statuses(wanted: list[str]) -> StatusMap:
    """Return `OUTCOME=STATUS` pairs as the mapping of a campaign."""
    given = dict(text.partition("=")[::2] for text in wanted)
    try:
        return TypeAdapter(StatusMap).validate_python({name.strip(): word for name, word in given.items()})
    except ValidationError as error:
        known = ", ".join(ORDER)
        raise InputError("invalid", f"--status: write OUTCOME=STATUS; outcomes are {known}.") from error
