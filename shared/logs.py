"""Structured logs: one line a record, key=value text or JSON, on standard error.

`logger.info("chunk finished", extra={"mailing": m, "n": n})` adds fields. Whatever looks like a mail address is
replaced before it is written, in messages, fields and tracebacks alike (G11): replies of relays and exceptions quote
them.
"""

import logging
import re
import sys
from datetime import UTC, datetime
from typing import Any

import orjson

_ADDRESS = re.compile(r"[^\s<>\"(),:;\[\]]+@[^\s<>\"'(),:;=\[\]]+")
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
_LONGEST = 8_000
_TALKATIVE = ("httpx", "httpcore")
"""They log every request with its URL, in which somebody may have searched for a name."""


def set_up(service: str, level: str = "INFO", style: str = "text") -> None:
    """Send all logging of this process to standard error; `style` is `text` or `json`."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json(service) if style == "json" else _Text(service))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))


def without_addresses(text: str) -> str:
    """Return `text` with everything that looks like a mail address replaced."""
    return _ADDRESS.sub("<address>", text) if "@" in text else text


class _Structured(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def fields(self, record: logging.LogRecord) -> dict[str, Any]:
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")[:-6] + "Z",
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {key: value for key, value in vars(record).items() if key not in _PLAIN}
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return {key: value if isinstance(value, (int, float)) else _clean(value) for key, value in fields.items()}


class _Json(_Structured):
    def format(self, record: logging.LogRecord) -> str:
        return orjson.dumps(self.fields(record), option=orjson.OPT_NON_STR_KEYS).decode()


class _Text(_Structured):
    def format(self, record: logging.LogRecord) -> str:
        fields = self.fields(record)
        head = f"{fields.pop('time')} {fields.pop('level'):<7} {fields.pop('service')} {fields.pop('logger')}: "
        message: str = fields.pop("message")
        tail = "".join(f" {key}={_value(value)}" for key, value in fields.items())
        return (head + message + tail).replace("\n", "\\n").replace("\r", "\\r")


def _clean(value: object) -> str:
    return without_addresses(str(value)[:_LONGEST])


def _value(value: object) -> str:
    text = str(value)
    plain = text and not any(c.isspace() or c == '"' for c in text)
    return text if plain else orjson.dumps(text).decode()
