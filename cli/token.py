"""`posthaste token`: tokens with which programs prove who they are."""

from datetime import datetime
from typing import Annotated

import typer

from cli import choices
from cli.commands import KeyOption, PermissionOption, command, group
from cli.output import text
from cli.session import Session
from shared.contracts import commands

app = group("token", "Tokens with which programs prove who they are.")


@command(app, "issue")
async def issue(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="What people call it.")],
    permission: PermissionOption,
    expires: Annotated[str, typer.Option("--expires", help="Date, or date and time here: 2027-06-30T12:00.")] = "",
    key: KeyOption = "",
) -> None:
    """Issue a token. It is shown this once and stored nowhere.

    Example: `posthaste token issue --name "shop system" --permission view --permission add_recipient`
    """
    until: datetime | None = choices.local_time(expires).astimezone() if expires else None
    wanted = commands.IssueToken(name=name, permissions=choices.permissions(permission), expires_at=until)
    answer = await session.ask(wanted, key=key)
    session.out.note(f"Issued token {answer['token']}. Keep it well, it is not shown again:")
    session.out.done(answer, text(answer["secret"]))


@command(app, "list")
async def list_tokens(session: Session) -> None:
    """List the tokens that were not revoked.

    Example: `posthaste token list`
    """
    columns = {
        "token": "Id",
        "name": "Name",
        "permissions": "Permissions",
        "expires_at": "Expires",
        "expired": "Expired",
    }
    session.out.rows(await session.ask(commands.Tokens()), "tokens", columns, empty="No token: posthaste token issue")


@command(app, "revoke")
async def revoke(
    session: Session,
    token: Annotated[str, typer.Argument(metavar="TOKEN", help="Id or name.")],
    key: KeyOption = "",
) -> None:
    """Revoke a token: it proves nothing any more, at once and for good.

    Example: `posthaste token revoke "shop system"`
    """
    answer = await session.ask(commands.RevokeToken(token=await choices.token_id(session, token)), key=key)
    session.out.done(answer, f"Revoked token {answer['token']}.")
