"""docs/commands.md and docs/http.md say what the program does: every request, every field, every refusal."""

import re
from pathlib import Path

from shared.contracts import commands
from shared.contracts.commands import Command, Query
from shared.messaging.http.problems import STATUS

ROOT = Path(__file__).parents[2]
DOCUMENT = (ROOT / "docs/commands.md").read_text()
HTTP_DOCUMENT = (ROOT / "docs/http.md").read_text()

_REFUSALS = re.compile(
    r"(?:Refusal\(\s*(?:code=)?|_refused\(|CsvError\(\s*|TemplateError\(\s*|Problem\(\s*|InputError\(\s*|CliError\(\s*"
    r"|UnreachableError\(\s*|NotBalancedError\(\s*|NotStartedError\(\s*|ImportFailedError\(\s*)\"([a-z_0-9]+)\""
)
_BETWEEN_SERVICES = "services/sender"  # its refusals never reach a person


def _rows() -> dict[str, str]:
    """Return the table rows of requests by name."""
    return {match[1]: match[0] for match in re.finditer(r"^\| `([a-z._]+)` \|.*$", DOCUMENT, re.MULTILINE)}


def test_every_request_is_documented_with_all_its_fields() -> None:
    """A row for each command and query that names each field; nothing is documented that does not exist."""
    models = {
        model.NAME: model
        for model in vars(commands).values()
        if isinstance(model, type) and issubclass(model, Command | Query) and hasattr(model, "NAME")
    }
    rows = {name: row for name, row in _rows().items() if "." in name or name in models}
    assert set(models) == set(rows)
    again = {
        commands.EditMailing: set(commands.DraftMailing.model_fields),
        commands.EditAccount: set(commands.AddAccount.model_fields),
        commands.EditMailbox: set(commands.AddMailbox.model_fields),
        commands.EditSeries: set(commands.OpenSeries.model_fields),
    }
    for name, model in models.items():
        fields = set(model.model_fields) - again.get(model, set())
        for field in fields:
            assert re.search(rf"\b{field}\b", rows[name]), f"{name}: {field}"
        for field, info in model.model_fields.items():
            if info.is_required() and field in fields:
                assert f"**{field}**" in rows[name], f"{name}: {field} is required"


def test_every_refusal_is_documented() -> None:
    """Each code that services and command line can give stands in the document."""
    found: dict[str, str] = {}
    for folder in ("services", "shared", "cli"):
        for path in (ROOT / folder).rglob("*.py"):
            if _BETWEEN_SERVICES not in str(path):
                found |= dict.fromkeys(_REFUSALS.findall(path.read_text()), path.name)
    missing = {code: name for code, name in found.items() if f"`{code}`" not in DOCUMENT + HTTP_DOCUMENT}
    assert len(found) > 50
    assert not missing


def _codes(text: str) -> set[str]:
    """Return the codes in the first column of the tables of refusals."""
    rows = re.findall(r"^\| (`[a-z_]+`(?:, `[a-z_]+`)*) \|", text, re.MULTILINE)
    return {code for row in rows for code in re.findall(r"`([a-z_]+)`", row)}


def test_every_refusal_has_a_status() -> None:
    """Each code a service can give has its status over HTTP, and no other code has one."""
    refusals = DOCUMENT.split("\n## Refusals\n")[1].split("\n## On the command line only")[0]
    documented = _codes(refusals) | _codes(HTTP_DOCUMENT)
    assert len(documented) > 70
    assert documented - set(STATUS) == set()
    assert set(STATUS) - documented == set()
