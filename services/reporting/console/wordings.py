"""The ways in which one mailing is said: the draft itself, in another language, in another version of an A/B test."""

from dataclasses import dataclass
from typing import Protocol

from services.reporting.console.desk import Data
from services.reporting.console.written import TEXTS, kept
from shared.contracts.mailing_settings import DRAFT_ITSELF

LETTERS = ("b", "c", "d", "e")
_SAMPLE = {"percent": 20}
"""How many try the versions of a new test, until somebody says otherwise."""


class Wording(Protocol):
    """One of them.

    Attributes:
        label: What it is called.
        query: What leads to it among the others.
        version: Letter of the version that a preview shows.
    """

    @property
    def label(self) -> str:
        """See above."""

    @property
    def query(self) -> dict[str, str]:
        """See above."""

    @property
    def version(self) -> str:
        """See above."""

    def said(self, found: Data) -> Data:
        """Return what it says, or what it begins with."""

    def changes(self, found: Data, letter: Data) -> Data:
        """Return what changes of the draft where it says `letter`."""

    def removed(self, found: Data) -> Data:
        """Return what changes of the draft without it."""


@dataclass(frozen=True)
class Draft:
    """What everybody gets who gets no other."""

    label = "Everybody else"
    query: dict[str, str]
    version = DRAFT_ITSELF

    def said(self, found: Data) -> Data:
        """Return what was written."""
        return found

    def changes(self, _: Data, letter: Data) -> Data:
        """Say this instead."""
        return letter

    def removed(self, _: Data) -> Data:
        """It stays: there is no mailing without it."""
        return {}


@dataclass(frozen=True)
class Language:
    """What people get who speak a language."""

    code: str
    version = DRAFT_ITSELF

    @property
    def label(self) -> str:
        """Its code."""
        return self.code

    @property
    def query(self) -> dict[str, str]:
        """Its code."""
        return {"language": self.code}

    def said(self, found: Data) -> Data:
        """Return its variant; a new one begins with the draft."""
        said: Data = found["variants"].get(self.code, found)
        return said

    def changes(self, found: Data, letter: Data) -> Data:
        """Put it among the variants."""
        return {"variants": kept(found)["variants"] | {self.code: letter}}

    def removed(self, found: Data) -> Data:
        """Take it from the variants."""
        return {"variants": {code: said for code, said in kept(found)["variants"].items() if code != self.code}}


@dataclass(frozen=True)
class Version:
    """What a part of the sample gets."""

    letter: str

    @property
    def label(self) -> str:
        """Its letter."""
        return f"Version {self.letter}"

    @property
    def query(self) -> dict[str, str]:
        """Its letter."""
        return {"version": self.letter}

    @property
    def version(self) -> str:
        """Its letter."""
        return self.letter

    def said(self, found: Data) -> Data:
        """Return what it says; what it does not say is as in the draft."""
        own: Data = _versions(found).get(self.letter, {})
        return {name: own.get(name) or found[name] for name in TEXTS}

    def changes(self, found: Data, letter: Data) -> Data:
        """Put it into the test, which begins with its first version; what is as in the draft goes without saying."""
        own = {name: said for name, said in letter.items() if said != found[name]}
        test = found["ab_test"] or _SAMPLE
        versions = _versions(found)
        return {"ab_test": test | {"versions": versions | {self.letter: versions.get(self.letter, {}) | own}}}

    def removed(self, found: Data) -> Data:
        """Take it out of the test, which ends with its last version."""
        left = {letter: said for letter, said in _versions(found).items() if letter != self.letter}
        return {"ab_test": found["ab_test"] | {"versions": left} if left else None}


def all_of(found: Data) -> list[Wording]:
    """Return those that a draft has."""
    languages = [Language(code) for code in sorted(found["variants"])]
    return [Draft({}), *languages, *(Version(letter) for letter in sorted(_versions(found)))]


def next_version(found: Data) -> str:
    """Return the letter of a further version, "" where there are enough."""
    return next((letter for letter in LETTERS if letter not in _versions(found)), "")


def _versions(found: Data) -> Data:
    versions: Data = (found.get("ab_test") or {}).get("versions", {})
    return versions
