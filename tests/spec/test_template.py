"""The placeholder language, and the links of a template."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.links import ascii_url, links_in_html, links_in_text
from shared.contracts.template import TemplateError, check, masked, parse, placeholders


@pytest.mark.parametrize(
    ("source", "name", "default"),
    [
        ("{{first}}", "first", None),
        ("{{ Person.firstName }}", "person.firstname", None),
        ('{{ first | default("there") }}', "first", "there"),
        ("{{first|default('dear \"you\"')}}", "first", 'dear "you"'),
        (r'{{ first | default("a \"b\" \\") }}', "first", 'a "b" \\'),
        ("{{\n first \n|\n DEFAULT ( '' )\n}}", "first", ""),
        ("{{ straße-1 }}", "straße-1", None),
    ],
)
def test_a_placeholder_is_a_name_with_an_optional_default(source: str, name: str, default: str | None) -> None:
    """Spaces are free, names do not mind case, quotes may be single or double."""
    (found,) = parse(f"a {source} b")
    assert (found.name, found.default) == (name, default)
    assert f"a {source} b"[found.start : found.end] == source


def test_entities_inside_a_placeholder_are_read_in_html_only() -> None:
    """Editors write quotes as entities into HTML; in text they are what they look like."""
    source = "{{ first | default(&quot;you &amp; me&quot;) }}"
    assert parse(source, html=True)[0].default == "you & me"
    with pytest.raises(TemplateError):
        parse(source)


@pytest.mark.parametrize(
    ("source", "code", "line", "column"),
    [
        ("Hello {{ first", "unclosed", 1, 7),
        ("a\nb {{ first {{ last }}", "unclosed", 2, 3),
        ("{{}}", "bad_name", 1, 1),
        ("\n\n  {{ first name }}", "bad_expression", 3, 3),
        ("{{ _x }}", "bad_name", 1, 1),
        ("{{{ first }}}", "bad_expression", 1, 1),
        ("{{ first | uper }}", "unknown_filter", 1, 1),
        ("{{ first | }}", "bad_expression", 1, 1),
        ("{{ first | default 'x' }}", "bad_expression", 1, 1),
        ("a\n{% if a %}\n{{ a | uper }}{% endif %}", "unknown_filter", 3, 1),
        ("a\n {% if a %}", "unclosed", 2, 2),
        ("{% else %}", "bad_tag", 1, 1),
        ("{% if a %}{% endfor %}", "bad_tag", 1, 11),
        ("\n{% include 'x' %}", "bad_tag", 2, 1),
        ("{% set a = 1 %}", "bad_tag", 1, 1),
        ("{% if a %}" * 11, "bad_tag", 1, 101),
        ("{% if a ", "unclosed", 1, 1),
        ("{{a}}" * 501, "too_many_placeholders", 1, 2501),
    ],
)
def test_a_broken_placeholder_is_refused_at_its_place(source: str, code: str, line: int, column: int) -> None:
    """The author is told what is wrong and where."""
    with pytest.raises(TemplateError) as refused:
        parse(source)
    assert (refused.value.code, refused.value.line, refused.value.column) == (code, line, column)


def test_single_and_closing_braces_are_plain_text() -> None:
    """Style sheets and code are full of them."""
    assert parse("@media{.a{color:red}} } {x} }}") == []


@given(source=st.text("{}ab|(\"')\\ \n&;default", max_size=60))
def test_any_text_is_read_or_refused(source: str) -> None:
    """Nothing but a TemplateError comes out, and covering placeholders keeps every place."""
    covered = masked(source)
    assert len(covered) == len(source)
    assert [i for i, c in enumerate(covered) if c == "\n"] == [i for i, c in enumerate(source) if c == "\n"]
    for html in (False, True):
        try:
            found = parse(source, html=html)
        except TemplateError as error:
            places = [(error.line, error.column)]
        else:
            assert all(source[at.start : at.start + 2] == "{{" for at in found)
            places = [(at.line, at.column) for at in found]
        assert all(line >= 1 and column >= 1 for line, column in places)


def test_a_field_no_contact_has_needs_a_default() -> None:
    """Every problem is named with field, line and column; system fields are always known."""
    problems = check(
        {"subject": "Hi {{ first }} {{ unsubscribe_url }}", "html": "<p>\n{{ frist }}</p>", "text": "{{ x | uper }}"},
        {"First", "company"},
    )
    assert [(p.code, p.field, p.line, p.column) for p in problems] == [
        ("misplaced_placeholder", "subject", 1, 16),
        ("unknown_placeholder", "html", 2, 1),
        ("unknown_filter", "text", 1, 1),
    ]
    assert check({"text": "{{ email }}{{ NAME }}{{ unsubscribe_url }}{{ late | default('-') }}"}, set()) == []


def test_placeholders_are_listed_once_in_lower_case() -> None:
    """The planner freezes these fields into payloads."""
    assert placeholders("{{ A }}{{ a }}{{ b | default('x') }}") == {"a", "b"}


HTML = """<p title='{{ a | default("x > y") }}'><a class="b" href="https://a.example/?a=1&amp;b=2&copy=3">x</a>
<A HREF = https://b.example/q>b</A><!-- <a href="https://comment.example"> --><a href="{{ unsubscribe_url }}">u</a>
<a href="https://c.example/{{ id }}">c</a><script>'<a href="https://script.example">'</script><a data-href="https://d">
<area href='\nhttps://e.example/ '><a name="x"><a href="mailto:a@b.example"><a href="/relative"><img src="https://i">
<link href="https://css.example"><a
href="HTTPS://F.example/ü">"""


def test_links_of_html_are_those_a_reader_can_follow() -> None:
    """Anchors and areas with absolute targets; entities decoded; no comments, scripts, placeholders or sources."""
    found = links_in_html(HTML)
    assert [link.url for link in found] == [
        "https://a.example/?a=1&b=2&copy=3",
        "https://b.example/q",
        "https://e.example/",
        "HTTPS://F.example/ü",
    ]
    assert HTML[found[0].start : found[0].end] == "https://a.example/?a=1&amp;b=2&copy=3"


def test_links_of_text_end_before_the_sentence_does() -> None:
    """Full stops, quotes and brackets around a URL are not part of it, brackets inside are."""
    text = "https://a.example/x_(y), (https://b.example/z). <https://c.example> https://d.example/{{ id }} https://!"
    found = links_in_text(text)
    assert [link.url for link in found] == ["https://a.example/x_(y)", "https://b.example/z", "https://c.example"]
    assert all(text[link.start : link.end] == link.url for link in found)


@pytest.mark.alone
@pytest.mark.parametrize("hostile", ["<!--", "<a ", "<a href='", "<a href=x", "<script>", "{{a}}", "<a href", "</a "])
def test_reading_a_template_takes_time_in_proportion_to_its_length(hostile: str) -> None:
    """A megabyte of half-open HTML is read in one pass (the test's time limit is the assertion)."""
    source = hostile * (1_000_000 // len(hostile))
    links_in_html(source)
    links_in_text(source)


def test_a_redirect_names_its_target_in_ascii() -> None:
    """What is not ASCII is percent-encoded, what is stays as it is."""
    assert ascii_url("https://a.example/ü?q=%20 é") == "https://a.example/%C3%BC?q=%20%20%C3%A9"
    assert ascii_url("https://a.example/%C3%BC?x=[1]") == "https://a.example/%C3%BC?x=[1]"
