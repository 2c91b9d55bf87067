"""From what was said to a reason: words first, then the enhanced code, then the reply code; the words are rules.toml.

An "unknown user" counts as `user-unknown` only with a code that says so (x.1.1) or as the answer to RCPT TO. Said
later, or nobody knows when, it may be a filter's excuse, and is `filtered`: it is not given up for good at once.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from services.tracker.feedback.reasons import REASONS, Reason

MAX_TEXT = 700

_URL = re.compile(r"https?://([^/\s>\"']{1,80})[^\s>\"']*", re.IGNORECASE)
_ADDRESS = re.compile(r"<?(?:\"[^\"\n]{0,64}\"|[^\s<>()\[\]:;,\"']{1,64})@[\w.-]{1,200}>?")
_STATUS = re.compile(r"(?<![\d.])#?[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)")
_CODE = re.compile(r"(?<![\d.\w])[245]\d\d(?=[ \-:]|$)[ \-]?")
_SPACE = re.compile(r"\s+")
_VAGUE = frozenset({"system", "security", "network"})
_NO_SUCH_USER = ("5.1.0", "5.1.1", "5.1.3", "5.1.10", "5.1.351", "5.4.1", "4.1.1")


class Said(NamedTuple):
    """What a mail system said of one recipient.

    Attributes:
        text: Its words, addresses included.
        command: What they answered: CONNECT, HELO, MAIL, RCPT, DATA; "" where not known.
        action: `failed`, `delayed`... of a DSN.
        type: Type of the diagnostic code of a DSN: smtp, x-unix...
    """

    text: str = ""
    status: str = ""
    code: str = ""
    command: str = ""
    action: str = ""
    type: str = ""


class _Rule(NamedTuple):
    reason: Reason
    words: re.Pattern[str] | None
    not_words: re.Pattern[str] | None
    status: tuple[str, ...]
    not_status: tuple[str, ...]
    codes: tuple[str, ...]
    not_codes: tuple[str, ...]
    commands: tuple[str, ...]
    late: bool
    sure: bool

    def fits(self, said: Said) -> bool:
        if self.status and not _begins(said.status, self.status):
            return False
        if self.not_status and _begins(said.status, self.not_status):
            return False
        if self.codes and not said.code.startswith(self.codes):
            return False
        if self.not_codes and said.code.startswith(self.not_codes):
            return False
        if self.commands and said.command not in self.commands:
            return False
        if self.words is not None and self.words.search(said.text) is None:
            return False
        return self.not_words is None or self.not_words.search(said.text) is None


def _begins(status: str, wanted: tuple[str, ...]) -> bool:
    """Whether a status is one of those wanted, or begins like one that ends in a dot."""
    return status in wanted or any(each[-1] == "." and status.startswith(each) for each in wanted)


class Rules:
    """The rules of one file."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.by_status: dict[str, Reason] = {key: _known(value) for key, value in data["status"].items()}
        self.by_code: dict[str, Reason] = {key: _known(value) for key, value in data["code"].items()}
        self.by_category: dict[str, Reason] = {key: _known(value) for key, value in data["category"].items()}
        rules = [_rule(entry) for entry in data["rule"]]
        self.early = [rule for rule in rules if not rule.late]
        self.late = [rule for rule in rules if rule.late]

    def named(self, status: str) -> Reason | None:
        """Return what an enhanced code means by itself."""
        return self.by_status.get(status) or self.by_status.get(status[2:])


def _known(name: str) -> Reason:
    if name not in REASONS:
        raise ValueError(f"{name} is no reason")
    return name


def _rule(entry: dict[str, Any]) -> _Rule:
    return _Rule(
        _known(entry["reason"]),
        _pattern(entry.get("words")),
        _pattern(entry.get("not_words")),
        tuple(entry.get("status", ())),
        tuple(entry.get("not_status", ())),
        tuple(entry.get("codes", ())),
        tuple(entry.get("not_codes", ())),
        tuple(entry.get("commands", ())),
        entry.get("late", False),
        entry.get("sure", False),
    )


def _pattern(words: list[str] | None) -> re.Pattern[str] | None:
    return re.compile("|".join(words).replace("@", "anaddress")) if words else None


@lru_cache(maxsize=1)
def rules() -> Rules:
    """Return the rules, read once."""
    return Rules(tomllib.loads(Path(__file__).with_name("rules.toml").read_text("utf-8")))


def normal(text: str) -> str:
    """Return the words of a diagnosis alone: no codes, no addresses, hosts instead of URLs, lower case, one line."""
    text = _URL.sub(r"\1", text[: 3 * MAX_TEXT])
    text = _ADDRESS.sub("anaddress", text)
    text = _CODE.sub("", _STATUS.sub("", text))
    return _SPACE.sub(" ", text).strip(" \t.-;:")[:MAX_TEXT].lower()


def reason(said: Said) -> Reason:
    """Return why."""
    return _reason(said._replace(text=normal(said.text)))


def forget() -> None:
    """Forget what was judged before (for measuring)."""
    _reason.cache_clear()


@lru_cache(maxsize=4096)
def _reason(said: Said) -> Reason:
    if said.status.startswith("2.") or said.action in ("delivered", "relayed", "expanded"):
        return "delivered"
    table = rules()
    for rule in table.early:
        if rule.fits(said):
            return rule.reason if rule.sure else _in_time(rule.reason, said)
    named = table.named(said.status)
    if named is not None and named not in _VAGUE and said.status != "4.4.1":
        return named
    for rule in table.late:
        if rule.fits(said):
            return rule.reason
    return named or _otherwise(said, table)


def _in_time(found: Reason, said: Said) -> Reason:
    if found != "user-unknown" or said.status in _NO_SUCH_USER:
        return found
    return found if said.command == "RCPT" and said.status[1:4] != ".7." else "filtered"


def _otherwise(said: Said, table: Rules) -> Reason:
    """Return what is left to say where neither words nor the code of RFC 3463 told."""
    if said.status[1:4] == ".6.":
        return "content"
    if said.status[1:4] == ".7.":
        return "security"
    if said.type in ("x-unix", "x-local"):
        return "mailer"
    if said.code in table.by_code:
        return table.by_code[said.code]
    if said.action == "delayed":
        return "expired"
    if said.command in ("CONNECT", "HELO"):
        return "blocked"
    return "unclear" if said.text else "unknown"
