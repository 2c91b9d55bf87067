"""Shaping: what replies of a relay say of us, and what follows. Pure.

In: what a relay said, a reply at a time, with the instant; out: a `Strike` where a rule is fulfilled. Rules are data
(shaping.toml, and the operator's own file before it). What we wrote ourselves never gets here: replies are those of the
relay alone, and the caller takes the recipient's address out of them before.
"""

import re
import tomllib
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from services.sender.replies.retry_after import retry_after
from shared.contracts.relay import EVERYTHING

Action = Literal["slow", "suspend", "rest", "pause", "ignore"]
ACTIONS: tuple[Action, ...] = get_args(Action)
OURS = Path(__file__).with_name("shaping.toml")
LONGEST_REST = timedelta(days=1)


class Said(NamedTuple):
    """A reply: to a mail for which provider, and what; `kind` as reply.classify has it."""

    provider: str
    code: int
    enhanced: str
    text: str
    kind: str


class Rule(BaseModel):
    """One rule; shaping.toml explains the fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9-]{1,40}$")
    action: Action
    codes: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    words: str = ""
    providers: tuple[str, ...] = ()
    times: int = Field(default=1, ge=1, le=100_000)
    within: float = Field(default=600.0, gt=0, le=86_400)
    seconds: float = Field(default=600.0, gt=0, le=86_400)
    per_hour: int = Field(default=60, ge=1)

    @field_validator("words")
    @classmethod
    def _is_pattern(cls, words: str) -> str:
        try:
            re.compile(words)
        except re.error as error:
            raise ValueError(f"no regular expression: {error}") from error
        return words

    def matches(self, said: Said) -> bool:
        """Tell whether the reply is one of those that the rule is about."""
        return (
            (not self.codes or str(said.code).startswith(self.codes))
            and (not self.enhanced or said.enhanced.startswith(self.enhanced))
            and (not self.kinds or said.kind in self.kinds)
            and (not self.providers or said.provider in self.providers)
            and (not self.words or re.search(self.words, said.text, re.IGNORECASE) is not None)
        )

    @property
    def of_account(self) -> bool:
        """Whether it is about the account, whoever the mail was for."""
        return self.action in ("rest", "pause")


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rule: list[Rule] = []


def parse(text: str) -> tuple[Rule, ...]:
    """Return the rules of a file.

    Raises:
        ValueError: It is no such file; the message says where.
    """
    try:
        return tuple(_File.model_validate(tomllib.loads(text)).rule)
    except ValidationError as error:
        found = error.errors()[0]
        raise ValueError(f"{'.'.join(map(str, found['loc']))}: {found['msg']}") from error


def rules(own: Path | None = None) -> tuple[Rule, ...]:
    """Return the rules in the order in which they are tried: those of the operator's file, then ours."""
    first = parse(own.read_text(encoding="utf-8")) if own is not None else ()
    return (*first, *parse(OURS.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Strike:
    """A rule is fulfilled: what was said last, and at whom it is directed."""

    rule: Rule
    provider: str
    said: Said
    at: datetime

    @property
    def until(self) -> datetime:
        """When what follows ends, where that is a matter of time."""
        if self.rule.action != "rest":
            return self.at + timedelta(seconds=self.rule.seconds)
        return begins_anew(self.said.text, self.at, timedelta(seconds=self.rule.seconds))


@dataclass(slots=True)
class Ear:
    """Hears the replies of one account, and remembers what counts for how long it counts."""

    rules: Sequence[Rule]
    heard: dict[tuple[str, str], deque[datetime]] = field(default_factory=dict)

    def hear(self, said: Said, at: datetime) -> Strike | None:
        """Take one reply in."""
        rule = next((rule for rule in self.rules if rule.matches(said)), None)
        if rule is None or rule.action == "ignore":
            return None
        provider = EVERYTHING if rule.of_account else said.provider
        times = self.heard.setdefault((rule.name, provider), deque(maxlen=rule.times))
        times.append(at)
        if len(times) < rule.times or at - times[0] > timedelta(seconds=rule.within):
            return None
        times.clear()
        return Strike(rule, provider, said, at)


_PERIODS = ((re.compile(r"minute", re.IGNORECASE), 60), (re.compile(r"hour", re.IGNORECASE), 3600))
_DAY = re.compile(r"\b(?:daily|day|24.?h)", re.IGNORECASE)


def begins_anew(text: str, now: datetime, otherwise: timedelta) -> datetime:
    """Return when a quota begins anew: as the relay says, else with the next hour or day it speaks of."""
    if (asked := retry_after(text)) is not None:
        return now + min(timedelta(seconds=asked), LONGEST_REST)
    if _DAY.search(text):
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight + timedelta(days=1)
    for pattern, seconds in _PERIODS:
        if pattern.search(text):
            since = now.timestamp() // seconds * seconds
            return datetime.fromtimestamp(since + seconds, UTC)
    return now + otherwise
