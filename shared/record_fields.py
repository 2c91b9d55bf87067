"""What templates of other systems call the fields of a record, and what they are called here: record_fields.toml."""

import tomllib
from functools import cache
from pathlib import Path


@cache
def record_fields() -> dict[str, str]:
    """Return name of a record's field in lower case (`person.firstname`) -> ours."""
    fields: dict[str, str] = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))["fields"]
    return fields
