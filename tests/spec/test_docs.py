"""What the documents say is so: links lead somewhere, commands exist, tables are complete."""

import re
import shlex
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.main import program
from deploy.data_folder import Ports
from deploy.permissions import USERS
from services.planner.settings import PlannerSettings
from services.reporting.settings import ReportingSettings
from services.sender.settings import SenderSettings
from services.tracker.server import TrackerSettings
from shared.contracts.codec import EVENT_TYPES
from shared.messaging.http.settings import HttpSettings
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
OPERATIONS = (ROOT / "docs/operations.md").read_text()
METRICS = (ROOT / "docs/metrics.md").read_text()
EVENTS = (ROOT / "docs/events.md").read_text()
SOURCES = [path for folder in ("cli", "deploy", "services", "shared") for path in (ROOT / folder).rglob("*.py")]

SECTIONS: dict[str, type[Settings]] = {
    "All services": Settings,
    "HTTP API": HttpSettings,
    "Planner": PlannerSettings,
    "Sender": SenderSettings,
    "Tracker": TrackerSettings,
    "Reporting": ReportingSettings,
}


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title).lower().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_between_documents_lead_somewhere(page: Path) -> None:
    """A relative link names a file that is there, and a heading in it."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path) if path else page
        assert found.exists(), target
        assert not anchor or anchor in _anchors(found), target


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_files_that_documents_name_are_there(page: Path) -> None:
    """A path in code quotes that begins with one of our folders exists."""
    for path in re.findall(r"`((?:cli|deploy|docs|services|shared|tests)/[\w./-]+)", page.read_text()):
        assert (ROOT / path).exists(), path


def _commands(page: Path) -> list[str]:
    text = page.read_text()
    blocks = "\n".join(re.findall(r"^```console\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    quoted = re.findall(r"`(posthaste [^`]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL))
    return [*re.findall(r"^\$ (posthaste .+)$", blocks, re.MULTILINE), *quoted]


@cache
def _posthaste() -> Any:  # noqa: ANN401 - whatever click has
    return typer.main.get_command(program())


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_commands_that_documents_give_exist(page: Path) -> None:
    """Each `posthaste ...` is a command, and has every option that is given."""
    for line in _commands(page):
        words = shlex.split(line)[1:]
        command = _posthaste()
        while words and words[0] in (found := getattr(command, "commands", {})):
            command = found[words.pop(0)]
        assert not getattr(command, "commands", None) or words in ([], ["..."], ["--help"]), line
        known = {option for parameter in command.params for option in parameter.opts + parameter.secondary_opts}
        given = {word.partition("=")[0] for word in words if word.startswith("--")}
        assert given <= known | {"--help"}, line


def _inherited(model: type[Settings]) -> set[str]:
    """Return the settings that stand in another section; the port of the API stands where its default is."""
    if model is Settings:
        return set()
    if model is HttpSettings:
        return {*Settings.model_fields, "http_port"}
    return {*Settings.model_fields, *(HttpSettings.model_fields if issubclass(model, HttpSettings) else ())} - {
        "http_port"
    }


def test_every_setting_is_documented_with_its_default() -> None:
    """One row a variable in the section of its service, and none that does not exist."""
    for title, model in SECTIONS.items():
        section = OPERATIONS.split(f"### {title}\n")[1].split("\n#")[0]
        rows = dict(re.findall(r"^\| `POSTHASTE_(\w+)` \| (.*?) \|", section, re.MULTILINE))
        own = {name: field for name, field in model.model_fields.items() if name not in _inherited(model)}
        assert set(rows) == {name.upper() for name in own}
        for name, field in own.items():
            default = "" if field.default in ("", None) else f"`{field.default}`"
            assert rows[name.upper()] == default, name


def test_every_variable_the_program_reads_is_documented() -> None:
    """Whatever begins with POSTHASTE_ in the code stands in docs/operations.md."""
    read = {name for path in SOURCES for name in re.findall(r"\bPOSTHASTE_[A-Z_]*[A-Z]\b", path.read_text())}
    documented = set(re.findall(r"POSTHASTE_[A-Z_]*[A-Z]", OPERATIONS))
    assert len(read) > 10
    assert read - {"POSTHASTE_NATS"} <= documented


def test_every_metric_is_documented() -> None:
    """The table of metrics holds what the services count, no more."""
    made = re.compile(r"\b(?:counter|gauge|histogram)\(\s*\"(posthaste_\w+)\"")
    counted = {name for path in SOURCES for name in made.findall(path.read_text())}
    assert counted == set(re.findall(r"^\| `(posthaste_\w+)` \|", METRICS, re.MULTILINE))


def test_every_port_is_documented() -> None:
    """The table of ports is that of the supervisor."""
    rows = {name: int(port) for port, name in re.findall(r"^\| (\d+) \| .* \| `(\w+)` \|$", OPERATIONS, re.MULTILINE)}
    assert rows == {field.name: field.default for field in fields(Ports)}


def test_every_event_is_documented_with_its_owner() -> None:
    """One row a wire type; NATS lets its owner publish the subject, and no other service that the row leaves out."""
    rows = {
        wire_type: (subject, owner)
        for wire_type, subject, owner in re.findall(
            r"^\| `([\w.]+/\d+)` \| `([^`]+)` \| (\w+) \|", EVENTS, re.MULTILINE
        )
    }
    assert set(rows) == set(EVENT_TYPES)
    for wire_type, (subject, owner) in rows.items():
        prefix = ".".join(subject.split(".")[:2]) + ".>"
        assert prefix in USERS[owner].publish, wire_type
        others = {user for user, granted in USERS.items() if prefix in granted.publish} - {owner}
        assert not others or prefix == "evt.consent.>", wire_type


def test_decisions_are_numbered_and_of_one_shape() -> None:
    """0001, 0002, ... without a gap, each with context, decision and consequences; code cites only those there are."""
    assert [path.name[:4] for path in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]
    for path in DECISIONS:
        text = path.read_text()
        assert text.startswith(f"# {path.name[:4]}: "), path.name
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
    cited = {number for path in SOURCES for number in re.findall(r"\bdecision (\d{4})\b", path.read_text())}
    assert cited <= {path.name[:4] for path in DECISIONS}
