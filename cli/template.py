"""`posthaste template`: templates of other systems made ours, and looked over. Both ask no service."""

import sys
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.commands import group
from shared.contracts.lint import Finding, lint
from shared.contracts.plain_braces import convert

app = group("template", "Templates: import what another system wrote, look one over.")

RECORD_FIELDS = Path(__file__).parents[1] / "shared" / "record_fields.toml"

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The template: a subject, HTML or text.")]
_Map = Annotated[
    list[str], typer.Option("--map", help="Field of a record and ours: `Person.firstName=first`; repeatable.")
]
_Link = Annotated[
    list[str], typer.Option("--link", help="Tracking URL and its target: `42=https://example.com/sale`; repeatable.")
]
_Html = Annotated[Path | None, typer.Option("--html", help="File with the HTML body.")]
_Text = Annotated[Path | None, typer.Option("--text", help="File with the text body.")]
_Field = Annotated[list[str], typer.Option("--field", help="Field that contacts have; repeatable.")]


def _pairs(given: list[str], option: str) -> dict[str, str]:
    for each in given:
        if "=" not in each:
            raise typer.BadParameter(f"write {option} NAME=VALUE", param_hint=option)
    return {name.strip(): value.strip() for name, _, value in (each.partition("=") for each in given)}


@app.command("import")
def import_(
    file: _File,
    renamed: _Map = [],  # noqa: B006 - typer reads the default, nobody changes it
    link: _Link = [],  # noqa: B006
) -> None:
    """Write a template with single braces in our spelling to standard output.

    `{Person.firstName}` becomes a field (shared/record_fields.toml says which, --map adds to it), `{optOutUrl}` and its
    like become ours, `{trackingUrl:ID}` the target that --link gives. Exit code 1 where the target of one is missing.

    Example: `posthaste template import mail.html --map Account.name=company --link 42=https://example.com > new.html`
    """
    known = tomllib.loads(RECORD_FIELDS.read_text(encoding="utf-8"))["fields"]
    fields = known | {name.lower(): ours for name, ours in _pairs(renamed, "--map").items()}
    done = convert(file.read_text(encoding="utf-8"), fields, _pairs(link, "--link"))
    sys.stdout.write(done.source)
    for name in done.unknown:
        _notes().print(f"There is no target for trackingUrl:{name}: give --link {name}=https://...", style="red")
    if done.unknown:
        raise typer.Exit(1)


@app.command("lint")
def lint_(
    subject: Annotated[str, typer.Option("--subject", help="The subject.")] = "",
    html: _Html = None,
    text: _Text = None,
    field: _Field = [],  # noqa: B006
) -> None:
    """Look a template over: mistakes, and what mail programs make of it. Exit code 1 where there is an error.

    Example: `posthaste template lint --subject "May sale" --html mail.html --field first_name`
    """
    found = lint(subject, _read(html), _read(text), field)
    for finding in found:
        _notes().print(_said(finding, html, text), markup=False, highlight=False, soft_wrap=True)
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(1)


def _read(path: Path | None) -> str:
    return path.read_text(encoding="utf-8") if path else ""


def _said(finding: Finding, html: Path | None, text: Path | None) -> str:
    where = {"html": html, "text": text}.get(finding.field) or finding.field
    return f"{where}:{finding.line}: {finding.severity}: {finding.message} {finding.remedy} [{finding.code}]"


def _notes() -> Console:
    return Console(stderr=True)
