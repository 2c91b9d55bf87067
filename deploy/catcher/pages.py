"""The pages of the catcher: a list, newest first and searchable by recipient, a view of one mail, JSON for scripts.

What stands in a mail is never trusted: text is escaped; HTML is shown in a frame of its own, sandboxed and without
scripts, where links open in a new tab and images load, so that opens and clicks can be tried out.
"""

import email.header
import email.policy
from datetime import UTC, datetime
from email.message import EmailMessage
from email.parser import BytesParser
from html import escape
from http import HTTPStatus
from urllib.parse import quote

import orjson

from deploy.catcher.store import Entry, MailStore
from shared.webserver import NOT_FOUND, Reply

_PAGE = 100
_MOST = 10_000
_SHOWN = ("From", "To", "Reply-To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post")
_HTML = "text/html; charset=utf-8"
_OWN_POLICY = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'"}
_MAIL_POLICY = {
    "Content-Security-Policy": (
        "default-src 'none'; img-src * data:; style-src 'unsafe-inline'; font-src data:; form-action 'none'; "
        "sandbox allow-popups allow-popups-to-escape-sandbox"
    ),
    "Referrer-Policy": "no-referrer",
}
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:0 auto;max-width:70rem;padding:1rem;color:#1c2430;background:#fff}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3rem .6rem;vertical-align:top;"
    "border-bottom:1px solid #dde2e8;overflow-wrap:anywhere}th{white-space:nowrap}"
    "input,button{font:inherit;padding:.3rem .6rem}a{color:#0b5cad}pre{white-space:pre-wrap;overflow-wrap:anywhere}"
    "iframe{width:100%;height:36rem;border:1px solid #dde2e8;background:#fff}.quiet{color:#5b6675}"
    "@media(prefers-color-scheme:dark){body{background:#14181e;color:#e4e8ee}a{color:#7db7f0}"
    "td,th{border-color:#2c333d}.quiet{color:#9aa5b4}}"
)


class Pages:
    """Answers requests from what `store` keeps."""

    def __init__(self, store: MailStore) -> None:
        self._store = store

    async def respond(self, path: str, query: dict[str, str]) -> Reply:
        """Return the page at `path`; a number that is none raises `ValueError`, a bad request."""
        if path == "/":
            return self._list(query.get("to", ""), int(query.get("before", "0")))
        if path == "/healthz":
            return Reply(b"ok\n")
        if path == "/mails.json":
            return self._json(query)
        match path.strip("/").split("/"):
            case ["mail", mail]:
                return self._mail(int(mail))
            case ["mail", mail, "html"]:
                return self._html(int(mail))
            case ["mail", mail, "raw"]:
                return self._raw(int(mail))
            case ["mail", mail, "part", part]:
                return self._part(int(mail), int(part))
        return NOT_FOUND

    def _json(self, query: dict[str, str]) -> Reply:
        limit = min(int(query.get("limit", "1000")), _MOST)
        entries = self._store.after(int(query.get("after", "0")), _MOST if query.get("to") else limit)
        if wanted := query.get("to", "").casefold():
            entries = [entry for entry in entries if any(wanted in to.casefold() for to in entry.recipients)][:limit]
        body = {
            "received": self._store.received,
            "kept": len(self._store.entries),
            "mails": [_described(entry) for entry in entries],
        }
        return Reply(orjson.dumps(body), "application/json")

    def _list(self, to: str, before: int) -> Reply:
        entries = self._store.newest(to, before, _PAGE)
        rows = "".join(
            f"<tr><td class=quiet>{_time(entry)}</td><td>{escape(', '.join(entry.recipients[:3]))}</td>"
            f'<td><a href="/mail/{entry.id}">{escape(_decoded(entry.subject)) or "(no subject)"}</a></td></tr>'
            for entry in entries
        )
        older = f'<p><a href="/?to={quote(to, safe="")}&amp;before={entries[-1].id}">Older</a></p>' if entries else ""
        found = (
            f"<table><tr><th>Time (UTC)<th>To<th>Subject</tr>{rows}</table>{older}" if rows else "<p>No mail here.</p>"
        )
        return _page(
            "Caught mail",
            f'<form><label>Recipient <input name=to value="{escape(to)}" autofocus></label> '
            f"<button>Search</button></form>"
            f"<p class=quiet>{len(self._store.entries)} mails kept, {self._store.received} received since the start. "
            f"Nothing is delivered from here.</p>{found}",
        )

    def _mail(self, mail: int) -> Reply:
        entry, message = self._parsed(mail)
        if entry is None or message is None:
            return NOT_FOUND
        headers = "".join(
            f"<tr><th>{name}<td>{escape(_header(message, name))}</tr>" for name in _SHOWN if _header(message, name)
        )
        envelope = f"{entry.sender or '<>'} to {', '.join(entry.recipients)}"
        parts = [
            f'<li><a href="/mail/{mail}/part/{n}">{escape(part.get_filename() or part.get_content_type())}</a></li>'
            for n, part in enumerate(message.walk())
            if part.get_filename()
        ]
        html = _body(message, "html") is not None
        text = _body(message, "plain")
        return _page(
            _decoded(entry.subject) or "(no subject)",
            f'<p><a href="/">All mail</a> · <a href="/mail/{mail}/raw">Source</a></p>'
            f"<table>{headers}<tr><th>Envelope<td>{escape(envelope)}</tr></table>"
            + (
                f'<h2>HTML</h2><iframe title="HTML part" sandbox="allow-popups allow-popups-to-escape-sandbox"'
                f' src="/mail/{mail}/html"></iframe>'
                if html
                else ""
            )
            + (f"<h2>Text</h2><pre>{escape(text)}</pre>" if text is not None else "")
            + (f"<h2>Attachments</h2><ul>{''.join(parts)}</ul>" if parts else ""),
        )

    def _html(self, mail: int) -> Reply:
        _, message = self._parsed(mail)
        html = _body(message, "html") if message is not None else None
        if html is None:
            return NOT_FOUND
        return Reply(b'<base target="_blank">' + html.encode("utf-8", "replace"), _HTML, headers=_MAIL_POLICY)

    def _raw(self, mail: int) -> Reply:
        if self._store.find(mail) is None:
            return NOT_FOUND
        return Reply(self._store.path(mail).read_bytes(), headers=_OWN_POLICY)

    def _part(self, mail: int, number: int) -> Reply:
        _, message = self._parsed(mail)
        part = next((p for n, p in enumerate(message.walk()) if n == number), None) if message else None
        if part is None or part.is_multipart():
            return NOT_FOUND
        content = part.get_payload(decode=True)
        body = content if isinstance(content, bytes) else b""
        return Reply(body, "application/octet-stream", headers={"Content-Disposition": "attachment"} | _OWN_POLICY)

    def _parsed(self, mail: int) -> tuple[Entry | None, EmailMessage | None]:
        entry = self._store.find(mail)
        if entry is None:
            return None, None
        message = BytesParser(policy=email.policy.default).parsebytes(self._store.path(mail).read_bytes())
        return entry, message if isinstance(message, EmailMessage) else None


def _page(title: str, body: str) -> Reply:
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style><h1>{escape(title)}</h1>{body}"
    )
    return Reply(text.encode("utf-8", "replace"), _HTML, HTTPStatus.OK, _OWN_POLICY)


def _body(message: EmailMessage, kind: str) -> str | None:
    """Return the text of the best part of that kind, whatever charset it claims."""
    try:
        part = message.get_body((kind,))
        return None if part is None else str(part.get_content())
    except (LookupError, ValueError, AttributeError, KeyError) as error:  # malformed: say so in its place
        return f"(cannot be shown: {error!r})"


def _header(message: EmailMessage, name: str) -> str:
    try:
        return str(message.get(name, ""))
    except (ValueError, AttributeError, IndexError, LookupError) as error:  # malformed: say so in its place
        return f"(cannot be read: {error!r})"


def _decoded(subject: str) -> str:
    try:
        return str(email.header.make_header(email.header.decode_header(subject)))
    except (ValueError, LookupError):  # not encoded as it says: show it as it is
        return subject


def _described(entry: Entry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": entry.at,
        "from": entry.sender,
        "to": entry.recipients,
        "subject": _decoded(entry.subject),
        "size": entry.size,
        "source": f"/mail/{entry.id}/raw",
    }


def _time(entry: Entry) -> str:
    return datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%d %H:%M:%S")
