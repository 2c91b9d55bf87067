"""What every request and answer is made of.

A request is a `Request`; its `key` is the idempotency key: the same key and body give the same answer, another body is
refused. The answer is an `Answer`: done with data and the log position to read from, or refused with a stable code and
the place that is wrong.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Id = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,24}$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Password = Annotated[str, StringConstraints(min_length=10, max_length=200), Field(repr=False)]
Secret = Annotated[str, StringConstraints(max_length=300), Field(repr=False)]


class Request(BaseModel):
    """A command or query on the wire."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(default="", max_length=100)
    at_least: int = 0
    data: dict[str, Any] = {}


class Refusal(BaseModel):
    """A domain "no": nothing was changed.

    Attributes:
        code: Stable, snake_case; documented in docs/commands.md.
        message: One or two sentences: what is wrong and what to do.
        field: Path of the field at fault, e.g. `limits.per_hour`, or "".
        line: Line of the file or template at fault, 1-based; 0 where there is none.
    """

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    field: str = ""
    line: int = 0


class Answer(BaseModel):
    """What came of a request. `position` is the log sequence that holds its events: pass it on as `at_least`."""

    ok: bool
    position: int = 0
    data: dict[str, Any] = {}
    refusal: Refusal | None = None


class Command(BaseModel):
    """Base of all commands. `NAME` is the last part of its subject."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    NAME: ClassVar[str]


class Query(BaseModel):
    """Base of all queries, asked on `query.<principal>.<name>`; they change nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    NAME: ClassVar[str]


class Page(Query):
    """Base of queries for long lists: at most `limit` rows behind `after`, which is `next` of the page before."""

    after: str = ""
    limit: int = Field(default=100, ge=1, le=1000)
