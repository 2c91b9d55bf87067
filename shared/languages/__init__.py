"""What we say to recipients, by language: a file each, `<code>.toml`, that holds every text. To add one, add a file.

The tracker's pages, the link that a sender appends, and the mail that asks for a confirmation are made from these. A
file that lacks a text, or has one too many, is refused when it is read, which a test does with all of them. `version`
names the words of the pages: consent keeps it, so that it can be shown later what a person had read.
"""

import tomllib
from dataclasses import asdict, dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal

from shared.ids import derived_id

DEFAULT = "en"
MAX_ACCEPT = 500

_FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class MailTexts:
    """Words in mails. `confirm_asked` may name the list as `{{ list }}`."""

    unsubscribe: str
    confirm: str
    confirm_subject: str
    confirm_asked: str
    confirm_ignore: str
    view: str


@dataclass(frozen=True, slots=True)
class PageTexts:
    """Words on the tracker's pages. `numbered` holds `{number}`: a list whose name is not known (any more)."""

    languages: str
    ask_title: str
    ask_intro: str
    which: str
    these: str
    numbered: str
    everything: str
    reason: str
    too_often: str
    not_interested: str
    never_signed_up: str
    other: str
    comment: str
    unsubscribe: str
    stay: str
    choose_title: str
    choose_text: str
    out_title: str
    out_text: str
    changed_mind: str
    in_title: str
    in_text: str
    stay_title: str
    stay_text: str
    again: str
    unclear_title: str
    unclear_text: str
    failed_title: str
    failed_text: str
    missing_title: str
    missing_text: str
    confirm_title: str
    confirm_intro: str
    confirm: str
    confirm_ignore: str
    confirmed_title: str
    confirmed_text: str
    expired_title: str
    expired_text: str
    gone_title: str
    gone_text: str
    later_title: str
    later_text: str


@dataclass(frozen=True, slots=True)
class Language:
    """One language: its code, its own name for itself, which way it is read, its texts."""

    code: str
    name: str
    direction: Literal["ltr", "rtl"]
    mail: MailTexts
    page: PageTexts

    @property
    def version(self) -> str:
        """Id of the words on the pages: other words, another id."""
        return derived_id("words", self.words, length=20)

    @property
    def words(self) -> str:
        """All that the pages say, to be kept beside consent."""
        lines = (f"{name}: {text}" for name, text in asdict(self.page).items())
        return f"language: {self.code}\n" + "\n".join(lines)


class LanguageError(ValueError):
    """A file of texts is not whole."""


@cache
def known() -> dict[str, Language]:
    """Return all languages by their codes, in the order of the codes.

    Raises:
        LanguageError: A file lacks a text, has one too many, or says something else than left or right.
    """
    return {path.stem: read(path) for path in sorted(_FOLDER.glob("*.toml"))}


def read(path: Path) -> Language:
    """Return the language of one file; `LanguageError` as above."""
    try:
        found = tomllib.loads(path.read_text("utf-8"))
        name, direction = found.pop("name"), found.pop("direction")
        mail, page = _texts(MailTexts, found.pop("mail")), _texts(PageTexts, found.pop("page"))
    except (KeyError, ValueError) as error:
        raise LanguageError(f"{path.name}: {error}") from error
    if direction not in {"ltr", "rtl"} or found:
        raise LanguageError(f"{path.name}: direction is ltr or rtl, and nothing but mail and page follows")
    return Language(path.stem, name, direction, MailTexts(**mail), PageTexts(**page))


def _texts(model: type[MailTexts | PageTexts], given: dict[str, str]) -> dict[str, str]:
    wanted = {field.name for field in fields(model)}
    empty = {name for name, text in given.items() if not isinstance(text, str) or not text.strip()}
    if wrong := (wanted ^ given.keys()) | empty:
        raise ValueError(f"{model.__name__} wants each text once: {', '.join(sorted(wrong))}")
    return given


def of(code: str) -> Language:
    """Return a language by its code, the default one where it is not known."""
    return known().get(code) or known()[DEFAULT]


def chosen(wanted: str, accepted: str) -> Language:
    """Return the language a page is shown in: the one it was asked for in, else what the browser likes best.

    Args:
        wanted: A code, "" for none.
        accepted: `Accept-Language` of RFC 9110, as it came.
    """
    languages = known()
    if wanted in languages:
        return languages[wanted]
    best, found = 0.0, languages[DEFAULT]
    for item in accepted[:MAX_ACCEPT].split(","):
        tag, _, weight = item.partition(";")
        code = tag.strip().lower().partition("-")[0]
        code = {"iw": "he"}.get(code, code)  # as older browsers say it
        if code in languages and (value := _weight(weight)) > best:
            best, found = value, languages[code]
    return found


def _weight(parameter: str) -> float:
    name, _, value = parameter.strip().partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.strip().lower() == "q" else 0.0
    except ValueError:  # nonsense: not liked
        return 0.0
