"""How fast mails are composed.

The mail has 11 KB on the wire: 3 merge fields in both bodies and one in the subject, 5 tracked links in both bodies, a
pixel and an unsubscribe link. Yardsticks in the same run: the same mail by the standard library's `EmailMessage`, and
the part nobody can save: two HMACs and one SHA-256 of the message.
"""

import hashlib
import hmac
import html as markup
import time
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer
from shared.contracts.content import Content
from shared.keys import KeyRing
from shared.tokens import Signer
from tests.benchmark.outcome import Outcome, Yardstick, emit

LINKS = [f"https://shop.example.com/p/item-{i}?utm_source=mail&utm_campaign=w26&utm_content=p{i}" for i in range(5)]
PROSE = "Die Tage werden kürzer, und die besten Touren liegen noch vor uns. We have picked what our own guides wear. "
STYLE = "font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;color:#333333"
GREETING = ("Hello {{ first }},", "{{ company }} has a winter price: use code {{ code }} until Sunday.")
DATE = 1_767_225_600
FIRST = ("Anna", "Jürgen", "Marie", "Zoë", "Peter", "Łukasz", "John", "Emily", "François", "Ida")
COMPANY = ("Acme & Sons", "Globex GmbH", "Initech", "Łódź Tools", 'Stark "Ind."', "Umbrella Ltd", "Café Central")
ROUNDS = 5
MAILS = 20_000


def sources() -> tuple[str, str]:
    """Return the HTML and the text body."""
    rows = "".join(
        f'<tr><td style="padding:16px 24px;{STYLE}"><h2 style="margin:0 0 8px">Item {i}</h2><p>{PROSE * 3}</p>\n'
        f'<a href="{markup.escape(url)}" style="background:#0b5fff;color:#ffffff;padding:10px">View now</a></td></tr>\n'
        for i, url in enumerate(LINKS)
    )
    html = (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>Winter</title></head><body style="{STYLE}">\n'
        f"<h1>{GREETING[0]}</h1><p>{GREETING[1]}</p><p>{PROSE * 16}</p>\n<table>{rows}</table>\n"
        '<p>You get this because you subscribed. <a href="{{ unsubscribe_url }}">Unsubscribe</a></p></body></html>\n'
    )
    items = "".join(f"Item {i}\n{url}\n\n" for i, url in enumerate(LINKS))
    text = f"{GREETING[0]}\n\n{GREETING[1]}\n\n{PROSE * 16}\n\n{items}Unsubscribe: {{{{ unsubscribe_url }}}}\n"
    return html, text


def composer() -> ChunkComposer:
    """Return the composer under test."""
    html, text = sources()
    content = Content(
        subject="Winter price for {{ first }}",
        html=html,
        text=text,
        links=LINKS,
        sender_name="Example Shop",
        sender_address="news@mail.example.com",
        reply_to="hello@example.com",
        list_name="Example news",
        list_id="news.example.com",
    )
    signer = Signer(KeyRing.of("benchmark secret of more than thirty-two", "benchmark pepper of more than thirty-two"))
    compiled = compile_content(
        content,
        mailing="m0123456789a",
        public_url="https://t.example.com",
        signer=signer,
        tracking="person",
        domain="mail.example.com",
    )
    return ChunkComposer(compiled, 3)


def rows(count: int) -> list[dict[str, object]]:
    """Return payload rows of made-up people."""
    return [
        {
            "contact": f"c{i:08x}",
            "address": f"user{i:07d}@example.org",
            "name": f"{FIRST[i % 10]} Müller",
            "address_key": f"{i:016x}",
            "lists": ["news12345678"],
            "fields": {
                "first": FIRST[i % 10],
                "company": COMPANY[i // 7 % 7],
                "code": f"W26-{i * 2654435761 & 0xFFFFFF:06X}",
            },
        }
        for i in range(count)
    ]


def by_standard_library(row: dict[str, object]) -> bytes:
    """Make a comparable mail with message objects, without tokens."""
    html, text = sources()
    fields = row["fields"]
    assert isinstance(fields, dict)
    for name, value in fields.items():
        html = html.replace(f"{{{{ {name} }}}}", markup.escape(value))
        text = text.replace(f"{{{{ {name} }}}}", value)
    message = EmailMessage(policy=SMTP)
    message["From"] = Address("Example Shop", addr_spec="news@mail.example.com")
    message["To"] = Address(str(row["name"]), addr_spec=str(row["address"]))
    message["Subject"] = f"Winter price for {fields['first']}"
    message["Date"] = "Thu, 01 Jan 2026 00:00:00 +0000"
    message["Message-ID"] = f"<{row['contact']}@mail.example.com>"
    message.set_content(text, cte="quoted-printable")
    message.add_alternative(html, subtype="html", cte="quoted-printable")
    return message.as_bytes()


def seconds_each(work: Callable[[int], object], count: int) -> float:
    """Return the least mean time of several rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        for i in range(count):
            work(i)
        best = min(best, (time.perf_counter() - begun) / count)
    return best


def run(count: int = MAILS) -> None:
    """Measure and print."""
    begun = time.perf_counter()
    made = composer()
    compiling = time.perf_counter() - begun
    people = rows(count)
    message = made.render(people[0], 0, DATE).message

    def floor(_: int) -> bytes:
        hmac.digest(b"k" * 32, b"r m0123456789a.3.7", "sha256")
        hmac.digest(b"k" * 32, b"u m0123456789a.3.7.0123456789abcdef.news12345678", "sha256")
        return hashlib.sha256(message).digest()

    ours = seconds_each(lambda i: made.render(people[i], i % 500, DATE), count)
    least = seconds_each(floor, count)
    library = seconds_each(lambda i: by_standard_library(people[i]), max(count // 100, 1))
    floor_us = Yardstick("two HMACs and one SHA-256", least * 1e6)
    more: dict[str, object] = {"compile_ms": compiling * 1e3, "message_bytes": len(message)}
    emit(Outcome("compose_time", ours * 1e6, "us/mail", floor_us, least / ours, more=more))
    by_library = Yardstick("standard library EmailMessage", 1 / library)
    emit(Outcome("compose", 1 / ours, "mails/s", by_library, library / ours))
