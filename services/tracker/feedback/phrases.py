"""Words by which mails are told apart, from phrases.toml."""

import re
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any


@lru_cache(maxsize=1)
def _lists() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("phrases.toml").read_text("utf-8"))


def pattern(name: str, before: str = "", after: str = "") -> re.Pattern[str]:
    """Return the list `name` as one pattern."""
    return _compiled(_lists()[name], before, after)


def commands() -> dict[str, re.Pattern[str]]:
    """Return by SMTP command how one tells that it was answered."""
    return {command: _compiled(words) for command, words in _lists()["commands"].items()}


def _compiled(words: list[str], before: str = "", after: str = "") -> re.Pattern[str]:
    return re.compile(f"{before}(?:{'|'.join(words)}){after}", re.IGNORECASE)
