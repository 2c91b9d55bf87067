"""`posthaste user`: people who sign in."""

import os
from typing import Annotated

import typer

from cli import choices
from cli.commands import KeyOption, PermissionOption, command, group
from cli.session import Session
from shared.contracts import commands

app = group("user", "People who sign in, by e-mail address and password.")

UserArgument = Annotated[str, typer.Argument(metavar="USER", help="Id, e-mail address or name.")]


def _password() -> str:
    """Ask for a password twice, or take it from the environment: never as an argument, which others could see."""
    return os.environ.get("POSTHASTE_USER_PASSWORD") or str(
        typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    )


@command(app, "add")
async def add(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="Name of the person.")],
    email: Annotated[str, typer.Option("--email", help="Address the person signs in with.")],
    permission: PermissionOption,
    key: KeyOption = "",
) -> None:
    """Add a person. The password is asked for, or taken from POSTHASTE_USER_PASSWORD.

    Example: `posthaste user add --name "Ann Example" --email ann@example.com --permission view`
    """
    may = choices.permissions(permission)
    wanted = commands.AddUser(name=name, email=email, password=_password(), permissions=may)
    answer = await session.ask(wanted, key=key)
    session.out.done(answer, f"Added user {answer['user']}.")


@command(app, "list")
async def list_users(session: Session) -> None:
    """List the people.

    Example: `posthaste user list`
    """
    columns = {"user": "Id", "name": "Name", "email": "Address", "permissions": "Permissions"}
    session.out.rows(await session.ask(commands.Users()), "users", columns, empty="Nobody yet: posthaste user add")


@command(app, "permissions")
async def permissions(session: Session, user: UserArgument, permission: PermissionOption, key: KeyOption = "") -> None:
    """Replace what a person may do; whoever is signed in has to sign in again.

    Example: `posthaste user permissions ann@example.com --permission view --permission send`
    """
    may = choices.permissions(permission)
    who = await choices.user_id(session, user)
    answer = await session.ask(commands.ChangePermissions(user=who, permissions=may), key=key)
    session.out.done(answer, f"Changed what user {answer['user']} may do.")


@command(app, "password")
async def password(session: Session, user: UserArgument, key: KeyOption = "") -> None:
    """Give a person another password, asked for or taken from POSTHASTE_USER_PASSWORD.

    Example: `posthaste user password ann@example.com`
    """
    who = await choices.user_id(session, user)
    answer = await session.ask(commands.SetPassword(user=who, password=_password()), key=key)
    session.out.done(answer, f"Changed the password of user {answer['user']}.")


@command(app, "remove")
async def remove(session: Session, user: UserArgument, key: KeyOption = "") -> None:
    """Remove a person; name, address and password are erased.

    Example: `posthaste user remove ann@example.com`
    """
    answer = await session.ask(commands.RemoveUser(user=await choices.user_id(session, user)), key=key)
    session.out.done(answer, f"Removed user {answer['user']}.")
