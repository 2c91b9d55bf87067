"""`posthaste feedback`: what came back, handed in by hand."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from cli.classify import files
from cli.commands import KeyOption, command, group
from cli.errors import CliError, InputError, RefusedError
from cli.session import Session
from shared.contracts import commands
from shared.ids import derived_id

app = group("feedback", "Mail that came back: bounces, complaints, automatic answers, replies.")

_COLUMNS = {"file": "File", "kind": "What", "reason": "Reason", "matched": "Matched by", "mailing": "Mailing"}

_FOR_ALL = frozenset({"no_tracker", "unavailable", "forbidden", "unauthenticated"})
"""Refusals that the next mail would get as well."""


@command(app, "take")
async def take(
    session: Session,
    paths: Annotated[list[str], typer.Argument(metavar="PATH", help="Mail files, folders of them (all below).")],
    key: KeyOption = "",
) -> None:
    """Take in mails that came back, and say of each what it is and whether it was matched to a mail of ours.

    The same mail again changes nothing. What is matched by a signed token counts, and may suppress the address; what
    is not is counted, and concludes nothing. `posthaste classify` says the same and takes nothing in. Exit code 2 when
    a path could not be read or was refused.

    Example: `posthaste feedback take bounces/`
    """
    complaints: list[str] = []
    named = [name for name in files(paths, complaints) if name != "-"]
    rows: list[dict[str, Any]] = []
    with Progress(
        TextColumn("Taking in"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=session.out.notes,
        transient=True,
        disable=not session.out.notes.is_terminal,
    ) as progress:
        for name in progress.track(named):
            try:
                rows.append(await _one(session, name, key))
            except InputError as error:  # told at the end; the others are taken
                complaints.append(str(error))
            except RefusedError as error:
                if error.code in _FOR_ALL:
                    raise
                complaints.append(f"{name}: {error}")
    shown = rows if session.out.as_json else [row | _short(row) for row in rows]
    session.out.rows({"rows": shown}, "rows", _COLUMNS, empty="Nothing was taken in.")
    if complaints:
        raise CliError("not_taken", "\n".join(complaints))


async def _one(session: Session, name: str, key: str) -> dict[str, Any]:
    upload, parts = await session.upload(Path(name), lambda _: None, key=key)
    own = derived_id(key, upload, length=20) if key else ""  # each mail is a command of its own
    return {"file": name} | await session.ask(commands.TakeFeedback(upload=upload, parts=parts), key=own)


def _short(row: dict[str, Any]) -> dict[str, str]:
    reasons = dict.fromkeys(each["reason"] for each in row["recipients"])
    recorded = row["proven"] or ("not matched" if row["facts"] else "not recorded")
    return {"reason": row["feedback_type"] or ", ".join(reasons), "matched": recorded}
