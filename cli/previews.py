"""`posthaste mailing preview` and `lint`: what would go out, looked at before it does."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands import MailingArgument
from cli.output import table
from cli.session import Session
from shared.contracts import commands
from shared.contracts.mailing_settings import DRAFT_ITSELF

Contact = Annotated[str, typer.Option("--contact", help="Whose mail: id or address of a contact.")]
Version = Annotated[str, typer.Option("--version", help="Which version of an A/B test.")]
Html = Annotated[Path | None, typer.Option("--html", help="File to write the HTML into, for a browser.")]


async def preview(
    session: Session, mailing: MailingArgument, contact: Contact, version: Version = DRAFT_ITSELF, html: Html = None
) -> None:
    """Show the mail one contact would get; links lead straight to their targets.

    Example: `posthaste mailing preview b7k2m9x0q3fd --contact ann@example.com --html mail.html`
    """
    answer = await session.ask(commands.PreviewMailing(mailing=mailing, contact=contact, version=version))
    if html is not None:
        html.write_text(answer["html"], encoding="utf-8")
    if session.out.as_json:
        session.out.json(answer)
        return
    screen = session.out.screen
    screen.print(f"To: {answer['to']}\nSubject: {answer['subject']}\n\n{answer['text']}", markup=False, highlight=False)


async def lint(session: Session, mailing: MailingArgument) -> None:
    """Look a draft over: mistakes, and what mail programs make of it. Exit code 1 where there is an error.

    Example: `posthaste mailing lint b7k2m9x0q3fd`
    """
    answer = await session.ask(commands.LintMailing(mailing=mailing))
    if session.out.as_json:
        session.out.json(answer)
    elif answer["findings"]:
        columns = {"severity": "", "field": "Where", "line": "Line", "message": "What", "remedy": "What to do"}
        session.out.screen.print(table(answer["findings"], columns))
    else:
        session.out.note("Nothing found.")
    if any(finding["severity"] == "error" for finding in answer["findings"]):
        raise typer.Exit(1)


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"preview": preview, "lint": lint}
