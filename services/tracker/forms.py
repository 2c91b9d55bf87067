"""What a POST says: the fields of a form in whatever encoding it came, and the act they ask for. Pure.

RFC 8058 allows `application/x-www-form-urlencoded` and `multipart/form-data`; programs spell both in many ways. Only
the right pair, or a button of our own pages, is an act.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.parser import BytesParser
from email.policy import HTTP
from typing import Literal
from urllib.parse import parse_qsl

from services.tracker.pages import MAX_COMMENT
from shared.contracts.consent import EVERYTHING, REASONS, How, Reason

ONE_CLICK_FIELD = "list-unsubscribe"
ONE_CLICK_VALUE = "one-click"
MAX_FIELDS = 40

_PAGE_ID = re.compile(r"[a-z0-9]{1,24}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Act:
    """What a POST asks for: to leave (`out`) or return to (`in`) the lists of `scope`, to stay, or nothing clear."""

    kind: Literal["out", "in", "stay", "confirm", "nothing chosen", "unclear"]
    scope: tuple[str, ...] = ()
    how: How = "page"
    comment: str = ""
    reason: Reason = ""
    page: str = ""


def fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the form fields of a urlencoded or multipart body; broken ones are empty."""
    if content_type.strip().lower().startswith("multipart/form-data"):
        head = b"Content-Type: " + content_type.encode("latin-1").replace(b"\r", b"").replace(b"\n", b"") + b"\r\n\r\n"
        message = BytesParser(policy=HTTP).parsebytes(head + body)
        found = {}
        for part in list(message.iter_parts())[:MAX_FIELDS] if message.is_multipart() else []:
            name = part.get_param("name", header="content-disposition")
            payload = part.get_payload(decode=True)
            if isinstance(name, str) and isinstance(payload, bytes):
                found[name] = payload.decode("utf-8", "replace")
        return found
    try:
        pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS)
    except ValueError:  # too many fields: no form of ours
        return {}
    return dict(pairs)


def chosen(form: Mapping[str, str], scope: Sequence[str]) -> tuple[str, ...]:
    """Return which of the lists of a link a form names (`list0`, `list1`, ...), or all mail (`all`)."""
    if "all" in form:
        return (EVERYTHING,)
    return tuple(each for place, each in enumerate(scope) if f"list{place}" in form)


def named(scope: Sequence[str], of: Sequence[str]) -> list[str]:
    """Return the fields that name `scope` in a form: the other way round."""
    if list(scope) == [EVERYTHING] and EVERYTHING not in of:
        return ["all"]
    return [f"list{place}" for place, each in enumerate(of) if each in scope]


def act_of(form: Mapping[str, str], scope: Sequence[str]) -> Act:
    """Return what the fields ask for, of a link about `scope`."""
    everything = tuple(scope)
    if any(
        name.strip().lower() == ONE_CLICK_FIELD and value.strip().lower() == ONE_CLICK_VALUE
        for name, value in form.items()
    ):
        return Act("out", everything, how="one-click")
    page = form.get("page", "")
    page = page if _PAGE_ID.fullmatch(page) else ""
    action = form.get("action")
    if action == "unsubscribe":
        leaving = chosen(form, scope) if "choose" in form else everything
        if not leaving:
            return Act("nothing chosen", page=page)
        comment = _CONTROL.sub("", form.get("comment", "").replace("\r\n", "\n")).strip()[:MAX_COMMENT]
        reason: Reason = next((known for known in REASONS if known == form.get("reason")), "")
        return Act("out", leaving, comment=comment, reason=reason, page=page)
    if action == "stay" and "after" in form:
        return Act("in", chosen(form, scope) or _back(everything), page=page)
    if action == "confirm":
        return Act("confirm", everything, how="confirmed", page=page)
    return Act("stay" if action == "stay" else "unclear", page=page)


def _back(scope: tuple[str, ...]) -> tuple[str, ...]:
    """Return what somebody takes up again who says so later: who had left all mail would get none of it else."""
    return scope if EVERYTHING in scope else (*scope, EVERYTHING)
