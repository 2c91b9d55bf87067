"""Freezing a draft: what is refused and where, what is kept, and that the sender compiles whatever is kept."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.planner.content.freezing import MAX_BODIES, MAX_LINKS, freeze_content, uses
from services.planner.content.plain_text import text_from_html
from services.sender.mails.compiled import compile_content
from services.sender.mails.compose import ChunkComposer
from shared.contracts.commands import DraftMailing, Refusal
from shared.contracts.content import Content
from shared.contracts.template import Placeholder, parse
from shared.keys import KeyRing
from shared.tokens import Signer

SIGNER = Signer(KeyRing.of("secret of more than thirty-two characters", "pepper of more than thirty-two characters"))
HTML = '<h1>Hello {{ first | default("you") }}</h1>\n<p>{{ company }} <a href="https://a.example/?x=1&amp;y=2">sale</a></p>'

ENDLESS = "{% for i in range(90000) %}{% for j in range(90000) %}"


def draft(**changes: object) -> DraftMailing:
    """Return a draft that is fine."""
    wanted: dict[str, object] = {
        "campaign": "c1",
        "name": "May",
        "account": "a1",
        "sender_name": "Example",
        "sender_address": "news@example.com",
        "subject": "Hi {{ First }}",
        "html": HTML,
    }
    return DraftMailing.model_validate(wanted | changes)


def freeze(wanted: DraftMailing, list_id: str = "news.example.com") -> Content | Refusal:
    """Freeze for contacts that have the fields first and company."""
    return freeze_content(wanted, {"first", "Company"}, list_name="News", list_id=list_id)


def test_a_draft_becomes_content_with_text_and_links() -> None:
    """Text is made from HTML, links are listed once as the reader's program sees them."""
    frozen = freeze(draft(sender_address="news@bücher.example"))
    assert isinstance(frozen, Content)
    assert frozen.sender_address == "news@xn--bcher-kva.example"
    assert frozen.links == ["https://a.example/?x=1&y=2"]
    expected = 'Hello {{ first | default("you") }}\n\n{{ company }} sale <https://a.example/?x=1&y=2>\n'
    assert frozen.text == expected
    assert uses(frozen) == {"first", "company"}


def test_the_authors_text_is_kept() -> None:
    """Nothing is made where something was written."""
    frozen = freeze(draft(text="Hello\nhttps://b.example/."))
    assert isinstance(frozen, Content)
    assert frozen.text == "Hello\nhttps://b.example/."
    assert frozen.links == ["https://a.example/?x=1&y=2", "https://b.example/"]


@pytest.mark.parametrize(
    ("changes", "code", "field", "line"),
    [
        ({"subject": "a\r\nBcc: x@y.example"}, "control_character", "subject", 0),
        ({"subject": "a\x00"}, "control_character", "subject", 0),
        ({"subject": "  "}, "empty_subject", "subject", 0),
        ({"sender_name": "a\nb"}, "control_character", "sender_name", 0),
        ({"sender_name": "{{ first }}"}, "misplaced_placeholder", "sender_name", 0),
        ({"sender_address": "nobody"}, "bad_address", "sender_address", 0),
        ({"sender_address": "δοκιμή@example.com"}, "bad_address", "sender_address", 0),
        ({"reply_to": "a@b@c.example"}, "bad_address", "reply_to", 0),
        ({"html": " \n"}, "empty_body", "html", 0),
        ({"html": "a\nb\x00"}, "control_character", "html", 2),
        ({"html": "x" * (MAX_BODIES + 1)}, "too_large", "html", 0),
        ({"html": "a\nb {{ frist }}"}, "unknown_placeholder", "html", 2),
        ({"text": "\n\n{{ first | uper }}"}, "unknown_filter", "text", 3),
        ({"subject": "{{ first"}, "unclosed", "subject", 1),
        (
            {"html": "a\n{% for i in range(90000) %}{% for j in range(90000) %}x{% endfor %}{% endfor %}"},
            "too_much_work",
            "html",
            2,
        ),
        ({"html": "{% if frist %}x{% endif %}"}, "unknown_placeholder", "html", 1),
        ({"html": "{% if first %}{{ optOutUrl | upper }}{% endif %}"}, "misplaced_placeholder", "html", 1),
        ({"zone": "Mars/Base"}, "zone_unknown", "zone", 0),
        ({"text": "https://a.example/ " * (MAX_LINKS + 1)}, "too_many_links", "html", 0),
    ],
)
def test_a_draft_that_could_not_be_sent_is_refused_at_its_place(
    changes: dict[str, str], code: str, field: str, line: int
) -> None:
    """The author is told field, line and reason; nothing is frozen."""
    refused = freeze(draft(**changes))
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field, refused.line) == (code, field, line)


def test_a_list_id_has_to_be_one() -> None:
    """RFC 2919 wants a dotted name of bounded length."""
    for wrong in ("news", "a>.b", ".a.b", "a." + "b" * 260):
        refused = freeze(draft(), wrong)
        assert isinstance(refused, Refusal)
        assert refused.code == "bad_list_id"
    assert isinstance(freeze(draft(), ""), Content)


TAGS = [
    "<p>",
    "</p>",
    "<a href='https://a.example/?b&copy=1'>",
    "</a>",
    "<a href=",
    "<!--",
    "-->",
    "<td>",
    "<br>",
    "\n",
]
WORDS = [
    "{{ first }}",
    '{{ company | default("a &amp; b") }}',
    "{{ x | default('}') }}",
    "&#123;&#123; ",
    "{",
    "é",
    ". ",
    "}}",
]


@given(pieces=st.lists(st.sampled_from(TAGS + WORDS), max_size=25), subject=st.text(min_size=1, max_size=30))
@example(pieces=["{", "<a href='https://a.example/'>", "{{ first }}"], subject="0")
def test_what_is_frozen_can_be_compiled(pieces: list[str], subject: str) -> None:
    """Whatever HTML comes: it is refused here or compiles there, with the text that was made from it."""
    frozen = freeze(draft(html="".join(pieces), subject=subject))
    if isinstance(frozen, Content):
        compiled = compile_content(
            frozen,
            mailing="m1",
            public_url="https://t.example",
            signer=SIGNER,
            tracking="person",
            domain="example.com",
        )
        row = {
            "contact": "c",
            "address": "a@b.example",
            "address_key": "0" * 16,
            "fields": {"first": "A", "company": "B"},
        }
        assert ChunkComposer(compiled, 0).render(row, 0, 0).message


def test_text_made_from_html_says_the_same() -> None:
    """Links follow their words, bare ones stand alone, placeholders and literal braces survive, styles do not."""
    html = (
        "<head><style>p{}</style></head><p>See <a href='https://a.example/?x=1&copy=2'>our  sale</a>.</p>"
        '<p><a href="{{ unsubscribe_url }}">leave</a> <a href="https://k.example/">k.example</a> <a href="#x">up</a>'
        '<a href="https://i.example"><img src="i.png" alt=""></a></p>'
        "{{ a | default('x } &quot;') }} &#123;&#123; &lt;"
    )
    text = text_from_html(html)
    assert text.split("\n") == [
        "See our sale <https://a.example/?x=1&copy=2>.",
        "",
        "leave <{{ unsubscribe_url }}> https://k.example/ up https://i.example",
        "",
        '{{ a | default("x \\} \\"") }} { { <',
        "",
    ]
    second = parse(text)[1]
    assert isinstance(second, Placeholder)
    assert second.default == 'x } "'
    assert text_from_html("<img src='x'>") == ""
