"""`posthaste tracking-url`: URLs that have a name in templates and reports."""

from typing import Annotated

import typer

from cli.commands import KeyOption, command, group
from cli.output import table
from cli.session import Session
from shared.contracts import commands

app = group("tracking-url", "Tracking URLs: what {{ trackingUrl:NAME }} stands for in templates.")

_Name = Annotated[str, typer.Option("--name", help="What templates and reports call it.")]


@command(app, "save")
async def save(
    session: Session,
    name: _Name,
    url: Annotated[str, typer.Option("--url", help="Where it leads: a whole http or https URL.")],
    key: KeyOption = "",
) -> None:
    """Have a name stand for a URL, instead of whatever it stood for.

    Example: `posthaste tracking-url save --name "Spring sale" --url "https://shop.example/sale?from=mail"`
    """
    answer = await session.ask(commands.SaveTrackingUrl(name=name, url=url), key=key)
    session.out.done(answer, f"Write {{{{ trackingUrl:{name} }}}} in a template.")


@command(app, "list")
async def list_(session: Session) -> None:
    """List the URLs that have a name.

    Example: `posthaste tracking-url list`
    """
    answer = await session.ask(commands.TrackingUrls())
    if session.out.as_json:
        session.out.json(answer)
        return
    session.out.screen.print(table(answer["tracking_urls"], {"name": "Name", "url": "URL"}))


@command(app, "delete")
async def delete(
    session: Session,
    name: Annotated[str, typer.Argument(help="Name of the URL.")],
    key: KeyOption = "",
) -> None:
    """Offer the name no more; mailings that have it stay as they are.

    Example: `posthaste tracking-url delete "Spring sale"`
    """
    session.out.done(await session.ask(commands.DeleteTrackingUrl(name=name), key=key), "Deleted.")
