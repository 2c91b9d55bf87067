"""A recipient: the links in a mail that arrived, and what people and their mail programs do with them."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from email import message_from_bytes
from urllib.parse import urlsplit

from shared.clock import now
from shared.contracts.verdicts import RULES
from tests.harness.waiting import until
from tests.harness.web import Web

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"}


@dataclass(frozen=True)
class Links:
    """Paths in a mail: its pixel, its first tracked link, its List-Unsubscribe."""

    pixel: str
    click: str
    leave: str


def links_of(content: bytes) -> Links:
    """Return the links of a mail with an HTML part."""
    mail = message_from_bytes(content)
    html = next(part for part in mail.walk() if part.get_content_type() == "text/html").get_payload(decode=True)
    assert isinstance(html, bytes)
    pixel = re.search(r'src="([^"]+/o/[^"]+)"', html.decode())
    click = re.search(r'href="([^"]+/c/[^"]+)"', html.decode())
    assert pixel is not None
    assert click is not None
    return Links(*(urlsplit(url).path for url in (pixel[1], click[1], mail["List-Unsubscribe"].strip("<>"))))


async def read_by_a_person(last_sent: str) -> None:
    """Return when a person could have read what was accepted last (`last_sent` of its status): not at once."""
    human = datetime.fromisoformat(last_sent) + timedelta(milliseconds=RULES.soon)
    await until(lambda: now() > human, 10, every=0.1)


def browser(url: str) -> Web:
    """Return a browser for one tracker."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    return Web(parts.hostname, parts.port, BROWSER)
