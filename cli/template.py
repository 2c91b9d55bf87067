"""`posthaste template`: templates that are kept; those of other systems made ours, and any looked over."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli import choices
from cli.commands import KeyOption, command, group
from cli.output import table
from cli.session import Session, read_file
from shared.contracts import commands
from shared.contracts.lint import Finding, lint
from shared.contracts.plain_braces import convert
from shared.record_fields import record_fields

app = group("template", "Templates: kept under a name, imported from other systems, looked over.")

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
    like become ours, `{trackingUrl:ID}` the target that --link gives, or the tracking URL that is named so.

    Example: `posthaste template import mail.html --map Account.name=company --link 42=https://example.com > new.html`
    """
    fields = record_fields() | {name.lower(): ours for name, ours in _pairs(renamed, "--map").items()}
    done = convert(file.read_text(encoding="utf-8"), fields, _pairs(link, "--link"))
    sys.stdout.write(done.source)
    for name in done.named:
        _notes().print(f"It links by name: posthaste tracking-url save --name {name} --url https://...", soft_wrap=True)


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


@command(app, "save")
async def save(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    subject: Annotated[str, typer.Option("--subject", help="Subject of what is made from it.")] = "",
    html: _Html = None,
    text: _Text = None,
    replace: Annotated[str, typer.Option("--replace", help="Template by id or name whose place it takes.")] = "",
    single_braces: Annotated[
        bool, typer.Option("--single-braces", help="It was written for another system: {Person.firstName}.")
    ] = False,
    key: KeyOption = "",
) -> None:
    """Keep a template for mailings (`mailing draft --template`) and single mails (`mail send --template`).

    Example: `posthaste template save --name Letter --subject "For {{ name }}" --html letter.html`
    """
    wanted = commands.SaveTemplate(
        template=await choices.template_id(session, replace),
        name=name,
        subject=subject,
        html=read_file(html) if html else "",
        text=read_file(text) if text else "",
        single_braces=single_braces,
    )
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Kept as {answer['template']}.")


@command(app, "list")
async def list_(session: Session) -> None:
    """List the templates that are kept.

    Example: `posthaste template list`
    """
    answer = await session.ask(commands.Templates())
    if session.out.as_json:
        session.out.json(answer)
        return
    columns = {"template": "Id", "name": "Name", "subject": "Subject", "saved_at": "Saved"}
    session.out.screen.print(table(answer["templates"], columns))


@command(app, "show")
async def show(session: Session, template: Annotated[str, typer.Argument(help="Template by id or name.")]) -> None:
    """Show one with its bodies.

    Example: `posthaste template show Letter --json`
    """
    answer = await session.ask(commands.ShowTemplate(template=await choices.template_id(session, template)))
    if session.out.as_json:
        session.out.json(answer)
        return
    says = f"Subject: {answer['subject']}\n\n{answer['html']}\n\n{answer['text']}"
    session.out.screen.print(says, markup=False, highlight=False)


@command(app, "delete")
async def delete(
    session: Session,
    template: Annotated[str, typer.Argument(help="Template by id or name.")],
    key: KeyOption = "",
) -> None:
    """Keep one no more; mailings that were made from it stay as they are.

    Example: `posthaste template delete Letter`
    """
    wanted = commands.DeleteTemplate(template=await choices.template_id(session, template))
    session.out.done(await session.ask(wanted, key=key), "Deleted.")
