"""Unsubscribe: `/u/{token}`. The token alone says who leaves what, so it works for years, without any store.

GET shows a page and never unsubscribes (scanners follow links). POST with `List-Unsubscribe=One-Click` (RFC 8058) is
answered 200 at once, without a redirect; POST from the page says what happened and offers the way back. A repeat within
a few seconds is the same act (the command id is derived from token, act, page and time). While the broker is away the
act goes to the spool; if not even that takes it the answer is 503, never a promise.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from email.parser import BytesParser
from email.policy import HTTP
from typing import Literal
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from services.tracker import pages
from services.tracker.edge import BodyTooLargeError, BodyTooSlowError, answer, header, not_found, read_body
from services.tracker.entries import Entry, Note
from services.tracker.recorder import NotKeptError, Recorder
from services.tracker.spans import A_SECOND, trace_act
from shared.clock import now
from shared.contracts import subjects
from shared.contracts.consent import How, OptedIn, OptedOut
from shared.contracts.envelope import Origin
from shared.ids import derived_id, new_id
from shared.keys import KeyRing
from shared.tokens import UNSUBSCRIBE_PATH, UnsubscribeToken, verify_unsubscribe
from shared.tracing import Rarely

ONE_CLICK_FIELD = "List-Unsubscribe"
ONE_CLICK_VALUE = "One-Click"
REPEAT_SECONDS = 5
MAX_FIELDS = 20

_PAGE_ID = re.compile(r"[a-z0-9]{1,24}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Act:
    """What a POST asks for."""

    kind: Literal["out", "in", "stay", "unclear"]
    how: How = "page"
    comment: str = ""
    page: str = ""


def fields(content_type: str, body: bytes) -> dict[str, str]:
    """Return the form fields of a urlencoded or multipart body; broken ones are empty."""
    if content_type.lower().startswith("multipart/form-data"):
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


def act_of(form: dict[str, str]) -> Act:
    """Return what the fields ask for."""
    if form.get(ONE_CLICK_FIELD, "").strip().lower() == ONE_CLICK_VALUE.lower():
        return Act("out", how="one-click")
    page = form.get("page", "")
    page = page if _PAGE_ID.fullmatch(page) else ""
    action = form.get("action")
    if action == "unsubscribe":
        comment = _CONTROL.sub("", form.get("comment", "").replace("\r\n", "\n")).strip()
        return Act("out", comment=comment[: pages.MAX_COMMENT], page=page)
    if action == "stay":
        return Act("in" if form.get("after") == "out" else "stay", page=page)
    return Act("unclear")


def entry_of(token: UnsubscribeToken, act: Act, at: datetime) -> Entry:
    """Return what goes into the log for an act: one event per scope of the token, in one commit."""
    moment = str(int(at.timestamp()) // REPEAT_SECONDS)
    whom = f"{token.mailing}.{token.n}.{token.index}.{token.address_key}.{'+'.join(token.scope)}"
    command_id = derived_id("consent", whom, act.kind, act.how, act.page, moment, length=20)
    note = Note(derived_id("note", command_id, length=20), act.comment) if act.comment else None
    events: tuple[OptedOut | OptedIn, ...]
    by = {
        "address_key": token.address_key,
        "how": act.how,
        "mailing": token.mailing,
        "n": token.n,
        "index": token.index,
    }
    if act.kind == "out":
        comment = note.key if note else ""
        events = tuple(OptedOut.model_validate({**by, "scope": scope, "comment": comment}) for scope in token.scope)
    else:
        events = tuple(OptedIn.model_validate({**by, "scope": scope}) for scope in token.scope)
    return Entry(
        subject=subjects.consent(subjects.partition(token.address_key)),
        events=events,
        origin=Origin(command_id=command_id, source="tracker", time=at, correlation_id=token.mailing),
        note=note,
        precious=True,
    )


class Unsubscribe:
    """ASGI application of `/u/{token}`."""

    def __init__(self, key_ring: KeyRing, recorder: Recorder) -> None:
        self._key_ring = key_ring
        self._recorder = recorder
        self._traced = Rarely(A_SECOND)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        token = verify_unsubscribe(self._key_ring, scope["path"][len(UNSUBSCRIBE_PATH) :])
        method = scope["method"]
        if token is None:
            await not_found(scope, receive, send)
        elif method == "POST":
            await self._post(token, scope, receive, send)
        elif method in {"GET", "HEAD"}:
            await _show(send, 200, pages.ask(new_id()), body=method == "GET")
        else:
            status = 204 if method == "OPTIONS" else 405
            await answer(send, status, [(b"allow", b"GET, HEAD, POST, OPTIONS"), (b"cache-control", b"no-store")])

    async def _post(self, token: UnsubscribeToken, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            act = act_of(fields(header(scope, b"content-type"), await read_body(receive)))
        except BodyTooLargeError:
            await answer(send, 413, [(b"content-length", b"0"), (b"connection", b"close")])
            return
        except BodyTooSlowError:
            await answer(send, 408, [(b"content-length", b"0"), (b"connection", b"close")])
            return
        page_id = new_id()
        if act.kind == "unclear":
            await _show(send, 400, pages.unclear(page_id))
            return
        if act.kind == "stay":
            await _show(send, 200, pages.stayed(page_id))
            return
        began = self._traced.begin()
        try:
            await self._recorder.record(entry_of(token, act, now()))
            trace_act(act.kind, token.mailing, token.n, began)
        except NotKeptError:  # counted by the recorder; the person or the machine tries again
            await _show(send, 503, pages.failed(page_id))
            return
        await _show(send, 200, pages.unsubscribed(page_id) if act.kind == "out" else pages.subscribed(page_id))


async def _show(send: Send, status: int, page: pages.Page, *, body: bool = True) -> None:
    headers = [*page.headers, (b"content-length", str(len(page.body)).encode())]
    if status == 503:
        headers.append((b"retry-after", b"60"))
    await answer(send, status, headers, page.body if body else b"")
