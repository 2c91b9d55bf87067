"""What recipients read: whole in every language, and shown in the one they read best."""

import re
from pathlib import Path

import pytest

from services.tracker import pages
from services.tracker.pages import View
from shared import languages
from shared.languages import Language, LanguageError

ALL = sorted(languages.known().items())
ENGLISH = languages.of("en")


def test_the_languages_that_are_promised_are_there() -> None:
    """English, Greek, Italian, Polish, Czech and Hebrew, the last from right to left."""
    assert {"cs", "el", "en", "he", "it", "pl"} <= languages.known().keys()
    assert [code for code, language in ALL if language.direction == "rtl"] == ["he"]


@pytest.mark.parametrize(("code", "language"), ALL, ids=[code for code, _ in ALL])
def test_every_text_is_translated_and_keeps_its_placeholders(code: str, language: Language) -> None:
    """No text is English elsewhere, but for words that are the same; what is filled in stands in every language."""
    assert language.code == code
    for part in ("page", "mail"):
        for name in getattr(ENGLISH, part).__slots__:
            text, english = getattr(getattr(language, part), name), getattr(getattr(ENGLISH, part), name)
            assert sorted(re.findall(r"\{+ ?\w+ ?\}+", text)) == sorted(re.findall(r"\{+ ?\w+ ?\}+", english)), name
            assert language is ENGLISH or text != english, f"{code}: {name} is not translated"
            assert "\n" not in text, name


def test_a_language_that_lacks_a_text_is_refused(tmp_path: Path) -> None:
    """Whoever adds one is told which text is missing, too many or empty."""
    whole = (Path(languages.__file__).parent / "it.toml").read_text("utf-8")
    broken = {
        "stay": re.sub(r"^stay = .*\n", "", whole, flags=re.MULTILINE),
        "more": whole + 'more = "x"\n',
        "again": re.sub(r"^again = .*$", 'again = " "', whole, flags=re.MULTILINE),
        "direction": whole.replace('"ltr"', '"up"'),
    }
    for name, text in broken.items():
        path = tmp_path / "it.toml"
        path.write_text(text, "utf-8")
        with pytest.raises(LanguageError, match=name):
            languages.read(path)


@pytest.mark.parametrize(
    ("wanted", "accepted", "expected"),
    [
        ("el", "it", "el"),
        ("xx", "it", "it"),
        ("", "", "en"),
        ("", "fr-FR, fr;q=0.9", "en"),
        ("", "fr, cs;q=0.3, pl;q=0.7", "pl"),
        ("", "IT-ch;Q=0.8, en;q=0.5", "it"),
        ("", "iw", "he"),
        ("", "he;q=nonsense, *;q=1, cs;q=0.1", "cs"),
        ("", "el;q=0", "en"),
        ("", "," * 3000, "en"),
    ],
)
def test_a_page_speaks_the_language_asked_for_or_liked_best(wanted: str, accepted: str, expected: str) -> None:
    """The link's own language first, else the one the browser likes best of those we know."""
    assert languages.chosen(wanted, accepted).code == expected


def test_other_words_have_another_version() -> None:
    """Consent names the words that were read: two languages never share a version."""
    assert len({language.version for _, language in ALL}) == len(ALL)


@pytest.mark.parametrize(("code", "language"), ALL, ids=[code for code, _ in ALL])
def test_every_page_says_its_language_and_direction(code: str, language: Language) -> None:
    """Each page: one heading, language and direction for those who listen, every field with a label."""
    view = View(language, "p1", ("News <b>", ""))
    drawn = [
        *(pages.ask(view), pages.unclear(view), pages.nothing_chosen(view), pages.failed(view)),
        *(pages.unsubscribed(view, ["list0"]), pages.subscribed(view), pages.stayed(view)),
        *(pages.confirm(view), pages.confirmed(view), pages.expired(view), pages.not_found(language)),
    ]
    for page in drawn:
        html = page.body.decode()
        assert f'<html lang="{code}" dir="{language.direction}">' in html
        assert html.count("<h1>") == 1
        assert "<b>" not in html.replace("<b lang", "")
        assert "<script" not in html
        for field in re.findall(r'<(?:input type="(?:checkbox|radio)"|textarea) id="([^"]+)"', html):
            assert f'for="{field}"' in html
