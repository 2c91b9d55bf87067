"""Styles move into the elements; what a template has of its own stays as it was written."""

from services.planner.content.inline_css import inline
from shared.contracts.template import parse

STYLE = "<style>p{color:red}td.a{margin:0}@media print{p{color:blue}}</style>"


def test_rules_become_styles_of_the_elements() -> None:
    """In a whole document and in a piece of one; the style sheet stays."""
    assert '<p style="color: red;">x</p>' in inline(f"<html><head>{STYLE}</head><body><p>x</p></body></html>")
    done = inline(f"{STYLE}<p>x</p>")
    assert '<p style="color: red;">x</p>' in done
    assert "<html" not in done
    assert "@media print" in done


def test_placeholders_conditions_and_loops_stay_where_they_were() -> None:
    """In text, in attributes, around rows of a table, in comments, with quotes and signs of their own."""
    source = (
        f"<html><head><title>{{{{ name }}}}</title>{STYLE}</head><body><!--[if mso]>{{{{ name }}}}<![endif]-->"
        '<p title="{{ a | default("x>y") }}">{{ first | default("<b>") }}</p><table>'
        '{% for tag in tags | split(",") %}<tr><td class="a">{{ tag }}</td></tr>{% endfor %}</table>'
        "<a href='https://a.example/{{ id }}'>x</a></body></html>"
    )
    done = inline(source)
    row = '<tbody><tr><td class="a" style="margin: 0;">{{ tag }}</td></tr>'
    assert f'{{% for tag in tags | split(",") %}}{row}{{% endfor %}}' in done
    for each in (
        '<p title="{{ a | default("x>y") }}" style="color: red;">',
        "<title>{{ name }}</title>",
        "mso]>{{ name }}<!",
    ):
        assert each in done
    assert 'href="https://a.example/{{ id }}"' in done
    assert len(parse(done, html=True)) == len(parse(source, html=True))


def test_what_has_no_style_sheet_or_cannot_be_read_stays_byte_for_byte() -> None:
    """Nobody's HTML is rewritten without a reason; nothing is loaded."""
    for source in ("<P>x", "<style>p{}</style>{{ x", '<link rel="stylesheet" href="file:///etc/passwd"><p>x'):
        assert inline(source) == source
