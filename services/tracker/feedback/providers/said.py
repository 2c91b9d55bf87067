"""What the readers of all providers share: fields of any type as text, a reason from words and names, clues."""

import hashlib
import tomllib
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from services.tracker.feedback import dialogue, judging
from services.tracker.feedback.judging import Said
from services.tracker.feedback.reasons import REASONS, Reason
from services.tracker.feedback.report import Clues, Recipient
from shared.tokens import BOUNCE_PREFIX

MAX_RECIPIENTS = 200
MAX_EVENTS = 5_000

_MAX_WORDS = 2_000
_MAX_ADDRESS = 254
_MAX_ID = 250
_VAGUE = ("unknown", "unclear", "delivered")


class Names(NamedTuple):
    """What one provider calls reasons: those that stand by themselves, and those that help where words do not."""

    sure: Mapping[str, Reason]
    otherwise: Mapping[str, Reason]


@lru_cache(maxsize=8)
def names(provider: str) -> Names:
    """Return the names of a provider."""
    table = tomllib.loads(Path(__file__).with_name("names.toml").read_text("utf-8"))[provider]
    return Names(table["sure"], table["otherwise"])


def text(fields: Mapping[str, Any], name: str, limit: int = _MAX_WORDS) -> str:
    """Return a field as text; "" where it is missing or is no text and no number."""
    value = fields.get(name)
    if isinstance(value, str):
        return value[:limit]
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def mapping(value: object) -> Mapping[str, Any]:
    """Return the value where it is an object, an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def mappings(value: object, limit: int = MAX_RECIPIENTS) -> list[Mapping[str, Any]]:
    """Return the objects of a list, an empty one where it is none."""
    return [each for each in value[:limit] if isinstance(each, dict)] if isinstance(value, list) else []


def texts(value: object, limit: int = MAX_RECIPIENTS) -> list[str]:
    """Return the texts of a list, an empty one where it is none."""
    return [each for each in value[:limit] if isinstance(each, str)] if isinstance(value, list) else []


def address(value: str) -> str:
    """Return an address as reports give it: domain in lower case, "" where it is none."""
    local, at, domain = value.strip().strip("<>")[:_MAX_ADDRESS].rpartition("@")
    return f"{local}@{domain.lower()}" if at and local and domain else ""


class Failure(NamedTuple):
    """What a provider says of a failure.

    Attributes:
        words: What the receiving system replied, or the provider in its place.
        called: How the provider calls the cause, the most telling name first.
        status: Enhanced code, where it is given apart from the words.
        code: Reply code, where it is given apart from the words.
        lasting: Whether the provider says that the address is of no use any more.
    """

    words: str = ""
    called: tuple[str, ...] = ()
    status: str = ""
    code: str = ""
    lasting: bool = True


def failed(whom: str, failure: Failure, known: Names) -> Recipient:
    """Return who was not reached and why: by its sure name, else by the words, else by its other names."""
    words = failure.words.removeprefix("smtp;").strip()
    status = dialogue.status(failure.status) or dialogue.status(words)
    code = dialogue.code(failure.code) or dialogue.code(words)
    called = [name.strip().lower() for name in failure.called]
    said = judging.reason(Said(words, status, code, dialogue.command(words), "failed", "smtp"))
    sure = next((known.sure[name] for name in called if name in known.sure), None)
    other = next((known.otherwise[name] for name in called if name in known.otherwise), None)
    reason: Reason = sure or (said if said not in _VAGUE else other or ("unclear" if words else "unknown"))
    if REASONS[reason].permanent and not failure.lasting:
        reason = "filtered" if REASONS[reason].scope == "address" else "network"
    return Recipient(address(whom), reason, status, code)


def clues(event: Iterable[str], message_ids: Iterable[str] = (), senders: Iterable[str] = ()) -> Clues:
    """Return the traces of a mail of ours; `event` is what makes this event the same when it is told again."""
    paths = [sender.strip("<> ").rpartition("@")[0] for sender in senders]
    ids = [each.strip("<> \r\n") for each in message_ids]
    return Clues(
        return_paths=tuple(dict.fromkeys(path for path in paths if path.lower().startswith(BOUNCE_PREFIX))),
        message_ids=tuple(dict.fromkeys(each for each in ids if 3 <= len(each) <= _MAX_ID)),
        digest=hashlib.sha256("\0".join(event).encode("utf-8", "replace")).hexdigest(),
    )
