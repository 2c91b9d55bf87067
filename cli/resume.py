"""`posthaste resume --after-restore`: a log or a database that was restored goes on."""

from typing import Annotated

import typer

from cli.commands import KeyOption
from cli.errors import InputError
from cli.session import Session
from shared.contracts import commands


async def resume(
    session: Session,
    after_restore: Annotated[
        bool, typer.Option("--after-restore", help="Yes: go on with the log and the databases as they are now.")
    ] = False,
    keep_paused: Annotated[
        bool, typer.Option("--keep-paused", help="Let the mailings stay paused, to be looked at one by one.")
    ] = False,
    key: KeyOption = "",
) -> None:
    """Go on after a backup was restored. What was sent after the backup was made may be sent once more.

    Until this is said nothing is sent, and every mailing is paused with the reason `log restored`.

    Example: `posthaste resume --after-restore --keep-paused`
    """
    if not after_restore:
        trust = await session.ask(commands.LogTrust())
        seen = "; ".join(f"{who}: {text}" for who, text in trust["why"].items()) or "nothing was restored"
        raise InputError("not_confirmed", f"Say --after-restore to go on ({seen}).")
    answer = await session.ask(commands.ResumeAfterRestore(keep_paused=keep_paused), key=key)
    left = "".join(f"\n{mailing} stays paused: {why}" for mailing, why in answer["left"].items())
    went = f"{len(answer['resumed'])} mailings go on" if not keep_paused else "the mailings stay paused"
    session.out.done(answer, f"The log goes on as {answer['incarnation']}; {went}.{left}")
