"""Variants: everybody gets the mailing in the language of their own, where it has one."""

import pytest

from services.planner.content.freezing import freeze_content, uses
from shared.contracts.commands import DraftMailing, Refusal
from shared.contracts.content import Content, spoken
from tests.spec.sender.composing import DATE, body, composer, parsed, row


def frozen(**variants: dict[str, str]) -> Content | Refusal:
    """Return a frozen draft with variants."""
    draft = DraftMailing.model_validate(
        {
            "campaign": "c1",
            "name": "m",
            "account": "a1",
            "sender_address": "news@mail.example.com",
            "subject": "Hello {{ first }}",
            "text": "Hello https://a.example/en",
            "variants": variants,
        }
    )
    return freeze_content(draft, {"first", "vorname"}, list_name="", list_id="")


@pytest.mark.parametrize(
    ("language", "subject"),
    [("", "Hello A"), ("en", "Hello A"), ("it", "Ciao B"), ("IT", "Ciao B"), ("it-CH", "Ciao B"), ("fr", "Hello A")],
)
def test_the_language_of_a_person_chooses_the_variant(language: str, subject: str) -> None:
    """Exactly, or by its first part; who speaks none of them gets the draft itself."""
    content = frozen(it={"subject": "Ciao {{ vorname }}", "html": "<p>Ciao <a href='https://a.example/it'>x</a></p>"})
    assert isinstance(content, Content)
    assert content.links == ["https://a.example/en", "https://a.example/it"]
    assert uses(content) == {"first", "vorname", "language"}
    fields = {"first": "A", "vorname": "B", "language": language}
    mail = composer(content).render(row(fields=fields), 7, DATE)
    assert parsed(mail)["Subject"] == subject
    if subject.startswith("Ciao"):
        assert "/c/" in body(mail, "html")
        assert "https://a.example/it" not in body(mail, "html")
        assert 'lang="it"' in body(mail, "html")


def test_a_wrong_variant_is_refused_with_its_place() -> None:
    """The field at fault is named with its language."""
    refused = frozen(it={"subject": "Ciao", "text": "\n{{ frist }}"})
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.field, refused.line) == ("unknown_placeholder", "variants.it.text", 2)


def test_an_austrian_variant_comes_before_a_german_one() -> None:
    """The whole code first."""
    assert spoken("de_AT", {"de": 1, "de-at": 1}) == "de-at"
    assert spoken("de-CH", {"de": 1, "de-at": 1}) == "de"
    assert spoken("", {"de": 1}) == ""
