"""The shop whose mailing is measured: about 5 KB of HTML, five tracked links, three personal fields; its contacts.

With its text part, the pixel and the tokens a mail has about 11 KB on the wire. People are made up from their number,
so every run has the same ones.
"""

import csv
from collections.abc import Iterator
from html import escape
from pathlib import Path

SENDER = "news@mail.example.com"
SUBJECT = "Winter prices for {{ first }}"
HEADER = ("email", "name", "first", "company", "code")
LINKS = [f"https://shop.example.com/p/item-{i}?utm_source=mail&utm_campaign=winter&utm_content=p{i}" for i in range(5)]

_PROSE = "Die Tage werden kürzer, und die besten Touren liegen noch vor uns. Our guides have picked what they wear. "
_STYLE = "font-family:Arial,Helvetica,sans-serif;font-size:15px;line-height:22px;color:#333333"
_FIRST = ("Anna", "Jürgen", "Marie", "Zoë", "Peter", "Łukasz", "John", "Emily", "François", "Ida")
_COMPANIES = ("Acme & Sons", "Globex GmbH", "Initech", "Łódź Tools", 'Stark "Ind."', "Umbrella Ltd", "Café Central")


def html() -> str:
    """Return the HTML body."""
    rows = "".join(
        f'<tr><td style="padding:16px 24px;{_STYLE}"><h2 style="margin:0 0 8px">Item {i}</h2>\n<p>{_PROSE * 3}</p>\n'
        f'<a href="{escape(url)}" style="background:#0b5fff;color:#ffffff;padding:10px">View item {i}</a></td></tr>\n'
        for i, url in enumerate(LINKS)
    )
    return (
        f'<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>Winter</title></head><body style="{_STYLE}">\n'
        "<h1>Hello {{ first }},</h1>\n<p>{{ company }} has winter prices: use {{ code }} until Sunday.</p>\n"
        f"<p>{_PROSE * 10}</p>\n<table>\n{rows}</table>\n"
        '<p>You get this because you subscribed. <a href="{{ unsubscribe_url }}">Unsubscribe</a></p>\n</body></html>\n'
    )


def people(count: int, first: int = 0) -> Iterator[tuple[str, ...]]:
    """Return rows of contacts."""
    for i in range(first, first + count):
        name = _FIRST[i % 10]
        code = f"W26-{i * 2654435761 & 0xFFFFFF:06X}"
        yield (f"user{i:07d}@example.org", f"{name} Müller", name, _COMPANIES[i // 7 % 7], code)


def write_csv(path: Path, count: int) -> Path:
    """Write the contacts to a file and return its path."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(people(count))
    return path
