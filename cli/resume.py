"""`posthaste stop` stops everything; `posthaste resume --after-stop` or `--after-restore` lets it go on."""

from typing import Annotated

import typer

from cli.commands import KeyOption
from cli.errors import InputError
from cli.session import Session
from shared.contracts import commands


async def stop(
    session: Session,
    reason: Annotated[str, typer.Option("--reason", help="Stands at every mailing that is stopped.")] = "",
    key: KeyOption = "",
) -> None:
    """Stop everything: every mailing that sends or will is paused, until `posthaste resume --after-stop`.

    Example: `posthaste stop --reason "wrong prices in the shop"`
    """
    answer = await session.ask(commands.StopEverything(reason=reason), key=key)
    left = "".join(f"\n{mailing} was not stopped: {why}" for mailing, why in answer["left"].items())
    count = len(answer["mailings"])
    session.out.done(answer, f"Stopped {count} mailings. To go on: posthaste resume --after-stop{left}")


async def resume(
    session: Session,
    after_restore: Annotated[
        bool, typer.Option("--after-restore", help="Yes: go on with the log and the databases as they are now.")
    ] = False,
    after_stop: Annotated[
        bool, typer.Option("--after-stop", help="Let the mailings go on that `posthaste stop` stopped.")
    ] = False,
    keep_paused: Annotated[
        bool, typer.Option("--keep-paused", help="Let the mailings stay paused, to be looked at one by one.")
    ] = False,
    key: KeyOption = "",
) -> None:
    """Go on after everything was stopped, or after a backup was restored.

    After a restore nothing is sent until this is said, and every mailing is paused with the reason `log restored`; what
    was sent after the backup was made may be sent once more.

    Example: `posthaste resume --after-restore --keep-paused`
    """
    if after_stop:
        answer = await session.ask(commands.ResumeStopped(), key=key)
        left = "".join(f"\n{mailing} stays paused: {why}" for mailing, why in answer["left"].items())
        session.out.done(answer, f"{len(answer['mailings'])} mailings go on.{left}")
        return
    if not after_restore:
        trust = await session.ask(commands.LogTrust())
        seen = "; ".join(f"{who}: {text}" for who, text in trust["why"].items()) or "nothing was restored"
        raise InputError("not_confirmed", f"Say --after-restore to go on ({seen}).")
    answer = await session.ask(commands.ResumeAfterRestore(keep_paused=keep_paused), key=key)
    left = "".join(f"\n{mailing} stays paused: {why}" for mailing, why in answer["left"].items())
    went = f"{len(answer['resumed'])} mailings go on" if not keep_paused else "the mailings stay paused"
    session.out.done(answer, f"The log goes on as {answer['incarnation']}; {went}.{left}")
