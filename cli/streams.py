"""`posthaste streams`: the streams and fixed consumers of the log, as data and as they are."""

from typing import Annotated, Any

import typer

from cli.commands import command, group
from cli.errors import CliError, NotBalancedError
from cli.session import Session
from deploy import apply as deploy

app = group("streams", "Streams of the log: what they should be, and bringing them there.")

Replicas = Annotated[int, typer.Option("--replicas", min=1, max=5, help="Copies: 1 on one server, 3 in a cluster.")]


async def _run(session: Session, work: Any, replicas: int) -> list[Any]:  # noqa: ANN401 - any of the three functions
    nc = await session.connection("deploy")
    try:
        return list(await work(nc, replicas))
    except deploy.ApplyError as error:
        raise CliError("not_applied", str(error)) from error
    finally:
        await nc.close()


def _show(session: Session, key: str, found: list[Any], empty: str) -> None:
    if session.out.as_json:
        session.out.json({key: [str(one) for one in found]})
        return
    for one in found:
        session.out.screen.print(str(one), markup=False)
    if not found:
        session.out.screen.print(empty)


@command(app, "plan")
async def plan(session: Session, replicas: Replicas = 1) -> None:
    """Say what `apply` would change.

    Example: `posthaste streams plan --replicas 3`
    """
    _show(session, "changes", await _run(session, deploy.plan, replicas), "Nothing to change.")


@command(app, "apply")
async def apply(session: Session, replicas: Replicas = 1) -> None:
    """Create and update streams and fixed consumers; never narrows what is there.

    Example: `posthaste streams apply --replicas 3`
    """
    _show(session, "changes", await _run(session, deploy.apply, replicas), "Nothing to change.")


@command(app, "check")
async def check(session: Session, replicas: Replicas = 1) -> None:
    """List every difference between the server and what should be; exit code 1 if there is one.

    Example: `posthaste streams check`
    """
    found = await _run(session, deploy.check, replicas)
    _show(session, "drift", found, "No drift.")
    if found:
        if session.out.as_json:
            raise typer.Exit(1)
        raise NotBalancedError("drift", "The server differs; `posthaste streams apply` brings it there.")
