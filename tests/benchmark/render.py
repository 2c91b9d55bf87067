"""How fast a template with many placeholders is rendered, and what an expression, a condition or a loop costs.

50 placeholders, half of them in each body, each value different for each recipient; then the same mail with ten regions
for the engine instead of ten of its placeholders. Yardstick: MiniJinja rendering both bodies whole for each recipient,
with nothing encoded, no token and no hash. What the other language of a mailing costs is told as `variant_us`.
"""

import cProfile
import pstats
import time
from collections.abc import Callable

from minijinja import Environment

from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer
from shared.contracts.content import Content, Variant
from shared.keys import KeyRing
from shared.tokens import Signer
from tests.benchmark.compose import DATE, FIRST, LINKS, PROSE, ROUNDS
from tests.benchmark.outcome import Outcome, Yardstick, emit

PLACEHOLDERS = 50
REGIONS = (
    "{{ f0 | upper }}",
    "{% if f1 %}Dear {{ f1 }}{% else %}Hello{% endif %}",
    "{% for part in f2 | split('-') %}{{ part }} {% endfor %}",
    "{{ f3 | default('friend') | title }}",
    "{% if f4 == 'no' %}no{% else %}yes{% endif %}",
)
MAILS = 20_000
ENOUGH = 10_000
"""Mails a second a core that a template of 50 placeholders has to be rendered at."""


def content(regions: tuple[str, ...] = (), variants: dict[str, Variant] | None = None) -> Content:
    """Return a mail of about 11 KB, as that of `compose`."""
    count = PLACEHOLDERS // 2
    uses = [*regions, *(f"{{{{ f{i} }}}}" for i in range(len(regions), count))]
    html = "".join(f"<p>{PROSE} {use}</p>\n" for use in uses)
    text = "".join(f"{PROSE[:40]} {use}\n" for use in uses)
    links = "".join(f'<a href="{url.replace("&", "&amp;")}">x</a>' for url in LINKS)
    return Content(
        subject="News",
        html=f"<html><body>{html}{links}<a href='{{{{ optOutUrl }}}}'>out</a></body></html>",
        text=f"{text}{{{{ optOutUrl }}}}\n",
        links=LINKS,
        sender_address="news@mail.example.com",
        list_id="news.example.com",
        variants=variants or {},
    )


def composer(what: Content) -> ChunkComposer:
    """Return the composer under test."""
    signer = Signer(KeyRing.of("benchmark secret of more than thirty-two", "benchmark pepper of more than thirty-two"))
    made = compile_content(
        what,
        mailing="m0123456789a",
        public_url="https://t.example.com",
        signer=signer,
        tracking="person",
        domain="mail.example.com",
    )
    return ChunkComposer(made, 3)


def rows(count: int) -> list[dict[str, object]]:
    """Return payload rows whose every field differs."""
    return [
        {
            "contact": f"c{i:08x}",
            "address": f"user{i:07d}@example.org",
            "name": FIRST[i % 10],
            "address_key": f"{i:016x}",
            "lists": ["news12345678"],
            "fields": {f"f{k}": f"{FIRST[(i + k) % 10]}-{i * 31 + k}" for k in range(PLACEHOLDERS // 2)}
            | {"language": "de" if i % 2 else "fr"},
        }
        for i in range(count)
    ]


def run(count: int = MAILS) -> None:
    """Measure and print; a profile of the plain one is among what only this benchmark tells."""
    people = rows(min(count, 2_000))
    plain, regions = content(), content(REGIONS)
    spent = {name: _each(composer(what), people, count) for name, what in (("plain", plain), ("regions", regions))}
    other = Variant(subject=plain.subject, html=plain.html, text=plain.text)
    variant = _each(composer(content(variants={"de": other})), people, count)
    whole = Environment()
    whole.add_template("mail.html", plain.html.replace("optOutUrl", "f0"))
    whole.add_template("mail.txt", plain.text.replace("optOutUrl", "f0"))
    fields = [person["fields"] for person in people]

    def engine(i: int) -> str:
        given = fields[i % len(fields)]
        assert isinstance(given, dict)
        return whole.render_template("mail.html", **given) + whole.render_template("mail.txt", **given)

    by_engine = cpu_each(engine, count // 4)
    more: dict[str, object] = {
        "enough": ENOUGH,
        "expression_us": (spent["regions"] - spent["plain"]) * 1e6 / (2 * len(REGIONS)),
        "variant_us": (variant - spent["plain"]) * 1e6,
        "profile": profile(composer(plain), people),
    }
    yardstick = Yardstick("MiniJinja over both bodies", 1 / by_engine)
    emit(Outcome("render", 1 / spent["plain"], "mails/s", yardstick, by_engine / spent["plain"], more=more))
    emit(Outcome("render_regions", 1 / spent["regions"], "mails/s", yardstick, by_engine / spent["regions"]))


def cpu_each(work: Callable[[int], object], count: int) -> float:
    """Return the least mean CPU time of several rounds: what a core does, whoever else is on the machine."""
    best = float("inf")
    for _ in range(ROUNDS):
        begun = time.process_time()
        for i in range(count):
            work(i)
        best = min(best, (time.process_time() - begun) / count)
    return best


def _each(made: ChunkComposer, people: list[dict[str, object]], count: int) -> float:
    return cpu_each(lambda i: made.render(people[i % len(people)], i % 500, DATE), count)


def profile(made: ChunkComposer, people: list[dict[str, object]]) -> dict[str, float]:
    """Return the share of the time by function, the five that take most."""
    profiler = cProfile.Profile(time.perf_counter)
    profiler.enable()
    for i, person in enumerate(people):
        made.render(person, i % 500, DATE)
    profiler.disable()
    stats: dict[tuple[str, int, str], tuple[int, int, float, float, object]] = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    total = sum(each[2] for each in stats.values())
    most = sorted(stats.items(), key=lambda item: -item[1][2])[:5]
    return {name: round(each[2] / total, 2) for (_, _, name), each in most}
