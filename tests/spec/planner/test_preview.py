"""A preview says what the sender would send."""

import pytest

from services.planner.content.preview import PreviewError, shown
from tests.spec.sender.composing import DATE, body, composer, content, parsed, row

HTML = """<html><body><p>Hello {{ First | default("you & me") }} {{ company }}</p>
{% if vip == "yes" %}<b>{{ company | upper }}</b> <a href="{{ optOutUrl }}">{{ first }}</a>{% endif %}
<a href="https://x.example/{{ company }}">x</a> {{ optOutUrl }}</body></html>
"""
TEXT = "{% for c in company | list %}{{ c }}.{% endfor %} {{ email }} {{ name }} {{ optOutUrl }}\n"


@pytest.mark.parametrize("fields", [{"company": "A & <B>"}, {"first": "Ann", "company": "x", "vip": "yes"}])
def test_a_preview_is_what_is_sent_but_for_links_of_the_recipients_own(fields: dict[str, str]) -> None:
    """Two renderers, one result: values, defaults, escaping, regions."""
    what = content(html=HTML, text=TEXT, links=[], subject="For {{ company }}")
    mail = composer(what, tracking="off").render(row(fields=fields), 7, DATE)
    seen = shown(what, fields | {"email": "anna@example.com", "name": "Anna"})
    assert parsed(mail)["Subject"] == seen["subject"]
    for field, subtype in (("html", "html"), ("text", "plain")):
        sent = body(mail, subtype).replace("\r\n", "\n")
        own = sent[sent.index("https://t.example.com/u/") :].split()[0].split('"')[0].split("<")[0]
        assert sent.replace(own, "#opt-out").rstrip() == seen[field].rstrip()


def test_who_would_be_skipped_has_no_preview() -> None:
    """The reason is the sender's."""
    with pytest.raises(PreviewError, match="missing field company"):
        shown(content(), {"email": "a", "name": "b"})
    with pytest.raises(PreviewError, match="does_not_render: text, line 2: a value is missing"):
        shown(content(text="\n{% if not y %}{{ x }}{% endif %}", html="", subject="s"), {})


def test_what_is_appended_is_shown() -> None:
    """The link to unsubscribe, in words of the language."""
    seen = shown(content(html="<body>x</body>", text="x", subject="s", language="it"), {})
    assert '<a href="#opt-out">' in seen["html"].partition("</body>")[0]
    assert "#opt-out" in seen["text"]
