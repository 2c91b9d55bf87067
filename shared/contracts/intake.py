"""What producers say of their contacts, on `in.contacts`: CloudEvents 1.0 in structured mode, one event or a batch.

A record is what the producer knows one customer by: its `source` and its id there. Each event carries the record's
version, or else its time: whatever comes late or twice never undoes what is newer, so events may come in any order and
any number of times, and the same events lead to the same contacts. `read` takes a message apart: each event that does
not fit is a `Problem` that names the field, and the others are good.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from shared.addresses import parse
from shared.contracts.commands import Name
from shared.contracts.records import tidied
from shared.contracts.statuses import StatusWord

MOST_EVENTS = 1_000
_LATEST = 2**53  # what JSON numbers hold exactly
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_PROBLEMS_TOLD = 5
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

T = TypeVar("T")
E = TypeVar("E", bound=BaseModel)

# Neither holds an "@": an address is no id, for ids stand in events and answers.
Source = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/~-]{0,99}$")]
ExternalId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/~-]{0,99}$")]
Version = Annotated[int, Field(ge=0, le=_LATEST)]
FieldName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_.-]{0,63}$")]
FieldValue = Annotated[str, StringConstraints(max_length=4_000)]


class _About(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    TYPE: ClassVar[str]

    id: ExternalId = Field(description="Id of the record at the source.")
    version: Version | None = Field(
        default=None,
        description="Number that grows with each change of the record. Without it the `time` of the event orders them; "
        "a source does one or the other.",
    )


def _tidy(fields: dict[str, str], info: ValidationInfo) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in fields.items():
        try:
            found[name] = tidied(name, value, info.context or ())
        except ValueError as error:  # told with the name of the field
            raise ValueError(f"{name} {error}") from error
    return found


def _usable(addresses: list[str]) -> list[str]:
    return [parse(address) for address in addresses]


def _one_line(name: str) -> str:
    if _CONTROL.search(name):
        raise ValueError("holds line breaks or control characters")
    return name


Fields = Annotated[dict[FieldName, FieldValue], Field(max_length=50), AfterValidator(_tidy)]
Addresses = Annotated[
    list[Annotated[str, StringConstraints(min_length=3, max_length=254)]],
    Field(max_length=3),
    AfterValidator(_usable),
]
OneLine = Annotated[str, StringConstraints(max_length=300), AfterValidator(_one_line)]


class ContactPerson(BaseModel):
    """A named contact person of the record, with addresses of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: OneLine = Field(min_length=1, description="Name of the person.")
    addresses: Addresses = Field(min_length=1, description="E-mail addresses of the person.")
    fields: Fields = Field(default={}, description="Merge fields, laid over those of the record.")


class ContactUpserted(_About):
    """The record as it is now, as a whole: name or fields that it gave before and leaves out now are taken away.

    Lists add up instead (`contact.removed_from_list/1` ends one). Who opted out of a list stays out, whatever is said
    here.
    """

    TYPE: ClassVar[str] = "contact.upserted/1"

    addresses: Addresses = Field(
        description="E-mail addresses: first, second and third, each a recipient of its own; where there is none, of "
        "no person either, the record is taken off its lists."
    )
    name: OneLine = Field(default="", description="Display name.")
    fields: Fields = Field(default={}, description="Merge fields of templates.")
    persons: list[ContactPerson] = Field(
        default=[], max_length=20, description="Contact persons; mailings that ask for them are sent to them, too."
    )
    kind: Annotated[str, StringConstraints(max_length=40)] = Field(
        default="",
        description="Kind of record: contact, lead, account, user or one that settings add; the field `kind`.",
    )
    lists: list[Name] = Field(default=[], max_length=50, description="Names of lists it is on; made where new.")
    account: ExternalId | Literal[""] = Field(
        default="",
        description="Id, at the same source, of the record of kind `account` that it belongs to, whose name and fields "
        "become the fields `account.name`, `account.<field>` of this one. Left out, it belongs to none.",
    )
    status: StatusWord | Literal[""] = Field(
        default="",
        description="Status of the customer, set at the `time` of the event (else now); an outcome that is older does "
        "not undo it. Left out, nothing is said of it.",
    )

    @property
    def merged(self) -> dict[str, str]:
        """The merge fields, the kind among them where it is told."""
        return self.fields | ({"kind": self.kind} if self.kind else {})

    @field_validator("kind")
    @classmethod
    def _a_kind(cls, kind: str, info: ValidationInfo) -> str:
        return tidied("kind", kind, info.context or ())


class ContactRemovedFromList(_About):
    """The record is no longer on one list."""

    TYPE: ClassVar[str] = "contact.removed_from_list/1"

    list: Name = Field(description="Name of the list.")


class IntakeEvent(BaseModel):
    """The envelope, whatever the data: CloudEvents 1.0 with the attributes that are understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    source: Source = Field(description="The system that owns the record; ids are its own.")
    type: Annotated[str, StringConstraints(min_length=1, max_length=100)]
    time: AwareDatetime | None = None
    subject: Annotated[str, StringConstraints(max_length=200)] | None = None
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, StringConstraints(max_length=500)] | None = None
    traceparent: Annotated[str, StringConstraints(max_length=100)] | None = None
    tracestate: Annotated[str, StringConstraints(max_length=600)] | None = None
    data: dict[str, Any]


class ContactUpsertedEvent(IntakeEvent):
    """A contact as it is now."""

    type: Literal["contact.upserted/1"] = "contact.upserted/1"
    data: ContactUpserted  # type: ignore[assignment]  # the same place, typed


class ContactRemovedFromListEvent(IntakeEvent):
    """A contact left a list."""

    type: Literal["contact.removed_from_list/1"] = "contact.removed_from_list/1"
    data: ContactRemovedFromList  # type: ignore[assignment]  # the same place, typed


EVENTS: dict[str, type[ContactUpsertedEvent | ContactRemovedFromListEvent]] = {
    ContactUpserted.TYPE: ContactUpsertedEvent,
    ContactRemovedFromList.TYPE: ContactRemovedFromListEvent,
}


@dataclass(frozen=True, slots=True)
class Told:
    """One good event: which record, how new, and what is said of it."""

    source: str
    version: int
    data: ContactUpserted | ContactRemovedFromList
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """One event that does not fit: its place in the message, the field at fault, why. Never the value."""

    place: int
    field: str
    why: str

    def __str__(self) -> str:
        return f"event {self.place}, {self.field}: {self.why}" if self.field else f"event {self.place}: {self.why}"


def read(body: bytes, kinds: Collection[str] = ()) -> tuple[list[Told], list[Problem]]:
    """Return the good events of a message, in order, and what is wrong with the others.

    Where `kinds` are given, a record of another kind does not fit.
    """
    return taken_apart(body, partial(_read_one, kinds))


def _read_one(kinds: Collection[str], place: int, item: object) -> Told | Problem:
    event = validated(place, item, EVENTS, kinds)
    if isinstance(event, Problem):
        return event
    version = event.data.version
    if version is None:
        if event.time is None:
            return Problem(place, "data.version", "a version is wanted, or the time of the event")
        version = microseconds(event.time)
    return (
        Problem(place, "time", "out of range")
        if version is None
        else Told(event.source, version, event.data, event.time)
    )


def taken_apart(body: bytes, one: Callable[[int, object], T | Problem]) -> tuple[list[T], list[Problem]]:
    """Read each event of a message by `one`, told its place; return the good ones and what is wrong with the others."""
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:  # nothing of it can be used
        return [], [Problem(0, "", f"no JSON: {error.msg} in line {error.lineno}")]
    items = found if isinstance(found, list) else [found]
    if len(items) > MOST_EVENTS:
        return [], [Problem(0, "", f"{len(items)} events in one message, {MOST_EVENTS} is the most")]
    good: list[T] = []
    problems: list[Problem] = []
    for place, item in enumerate(items):
        result = one(place, item)
        if isinstance(result, Problem):
            problems.append(result)
        else:
            good.append(result)
    return good, problems


def validated(place: int, item: object, models: Mapping[str, type[E]], kinds: Collection[str] = ()) -> E | Problem:
    """Return the event as the model of its type has it, of one of these `kinds` of records where they are given."""
    if not isinstance(item, dict):
        return Problem(place, "", "no CloudEvent: an object is wanted")
    wire_type = item.get("type")
    model = models.get(wire_type) if isinstance(wire_type, str) else None
    if model is None:
        return Problem(place, "type", f"one of {', '.join(models)} is wanted")
    try:
        return model.model_validate(item, context=kinds)
    except ValidationError as error:  # told to the producer: where and why
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        return Problem(place, ".".join(str(part) for part in first["loc"]), first["msg"])


def microseconds(time: datetime) -> int | None:
    """Return the time in microseconds since 1970, None where that is out of range."""
    found = (time - _EPOCH) // _MICROSECOND
    return found if 0 <= found <= _LATEST else None


def reason(problems: list[Problem], events: int) -> str:
    """Return what is wrong with a message in one line, the first few events by place and field."""
    return f"{len(problems)} of {events} events: " + "; ".join(_first(problems))


def _first(problems: list[Problem]) -> Iterator[str]:
    for problem in problems[:_PROBLEMS_TOLD]:
        yield str(problem)
    if len(problems) > _PROBLEMS_TOLD:
        yield "..."
