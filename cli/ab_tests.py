"""A/B tests at the command line: the options of a draft, `posthaste mailing winner`, and how a test is shown."""

from collections.abc import Callable, Coroutine, Sequence
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType

from cli import choices
from cli.commands import KeyOption, MailingArgument
from cli.errors import InputError
from cli.output import pairs, table
from cli.session import Data, Session
from shared.contracts import commands
from shared.contracts.mailing_settings import WinnerRule

Version = Annotated[
    list[str],
    typer.Option("--version", help="Template of another version for an A/B test: `b=Letter-b`; b to e, repeatable."),
]
VersionSubject = Annotated[
    list[str], typer.Option("--version-subject", help="Subject of another version: `b=Look here`; repeatable.")
]
Sample = Annotated[
    str, typer.Option("--sample", help="Who gets versions before the rest gets the best: `20%`, or so many: `500`.")
]
By = Annotated[WinnerRule, typer.Option("--winner", help="What decides: clicks or opens by people, or you by hand.")]
Wait = Annotated[float, typer.Option("--wait", help="Minutes after which the sample is judged.")]


async def wanted(
    session: Session, versions: Sequence[str], subjects: Sequence[str], sample: str, by: WinnerRule, wait: float
) -> dict[str, Any] | None:
    """Return the A/B test of a draft as the command takes it, None where no version is given."""
    found: dict[str, dict[str, str]] = {}
    for letter, template in map(_letter, versions):
        found.setdefault(letter, {})["template"] = await choices.template_id(session, template)
    for letter, subject in map(_letter, subjects):
        found.setdefault(letter, {})["subject"] = subject
    if not found:
        return None
    size = sample or "20%"
    share = size.endswith("%")
    try:
        many: dict[str, float] = {"percent": float(size[:-1])} if share else {"recipients": int(size)}
    except ValueError as error:
        raise InputError("sample_size_missing", "Write the sample like `20%` or `500`.") from error
    return {"versions": found, **many, "by": by, "wait_minutes": wait}


def _letter(text: str) -> tuple[str, str]:
    letter, equals, rest = text.partition("=")
    if not equals:
        raise InputError("version_unknown", "Write a version like `b=Letter-b`.")
    return letter.strip(), rest.strip()


def shown(test: Data | None) -> Sequence[RenderableType]:
    """Return what is to be seen of a test, nothing where there is none."""
    if test is None:
        return ()
    stages = {"sample": "the sample is sent to", "waiting": "its winner is waited for", "decided": "decided"}
    said = {
        "A/B test": stages[test["stage"]],
        "Decided by": test["chosen_by"] or test["by"],
        "At": "" if test["winner"] else test["decides_at"],
        "Winner": test["winner"],
    }
    columns = {"version": "", "recipients": "Recipients", "sent": "Sent", "opened": "Opened", "clicked": "Clicked"}
    columns |= {"unsubscribed": "Unsubscribed", "subject": "Subject"}
    return (Group("", pairs(said), table(test["versions"], columns)),)


async def winner(
    session: Session,
    mailing: MailingArgument,
    version: Annotated[str, typer.Argument(help="The letter of the version: a is the draft itself.")],
    key: KeyOption = "",
) -> None:
    """Choose by hand which version of an A/B test the rest gets.

    Example: `posthaste mailing winner b7k2m9x0q3fd b`
    """
    answer = await session.ask(commands.ChooseWinner(mailing=mailing, version=version), key=key)
    session.out.done(answer, f"Version {version} goes to the rest.")


COMMANDS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {"winner": winner}
