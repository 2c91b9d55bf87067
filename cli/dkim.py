"""`posthaste dkim`: the keys that sign mail for a domain."""

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.commands import KeyOption, command, group
from cli.output import text
from cli.session import Session, read_file
from shared.contracts import commands
from shared.contracts.domain import SigningAlgorithm

app = group("dkim", "Keys that sign mail for a domain.")

_Domain = Annotated[str, typer.Argument(metavar="DOMAIN", help="The domain in From.")]
_Selector = Annotated[str, typer.Argument(metavar="SELECTOR", help="Name of the key in DNS: a new one for each key.")]


@command(app, "add")
async def add(
    session: Session,
    domain: _Domain,
    selector: _Selector,
    algorithm: Annotated[SigningAlgorithm, typer.Option("--algorithm", help="Of a key that is made.")] = "rsa",
    private_key: Annotated[Path | None, typer.Option("--private-key", help="PEM file of a key that you bring.")] = None,
    key: KeyOption = "",
) -> None:
    """Make a key (or bring one) and show the DNS record to publish; nothing is signed with it yet.

    Example: `posthaste dkim add shop.example p2027a`
    """
    pem = read_file(private_key) if private_key else ""
    wanted = commands.AddDomainKey(domain=domain, selector=selector, algorithm=algorithm, private_key=pem)
    answer = await session.ask(wanted, key=key)
    record = text(f"{answer['record_name']} TXT {answer['record']}")
    session.out.done(answer, f"Publish this record, then: posthaste dkim use {domain} {selector}\n\n{record}")


@command(app, "use")
async def use(session: Session, domain: _Domain, selector: _Selector, key: KeyOption = "") -> None:
    """Sign with it from now on, in place of the key of the same algorithm so far. Its record has to be published.

    Example: `posthaste dkim use shop.example p2027a`
    """
    answer = await session.ask(commands.UseDomainKey(domain=domain, selector=selector), key=key)
    session.out.done(answer, f"Mail from {domain} is signed with {selector} from now on.")


@command(app, "retire")
async def retire(session: Session, domain: _Domain, selector: _Selector, key: KeyOption = "") -> None:
    """Sign with it no more. The private key is overwritten once no mail may still need it.

    Leave its record in DNS for a week: mail under way is still verified.

    Example: `posthaste dkim retire shop.example p2026b`
    """
    answer = await session.ask(commands.RetireDomainKey(domain=domain, selector=selector), key=key)
    session.out.done(answer, f"{selector} signs no mail from {domain} any more.")


@command(app, "list")
async def list_keys(session: Session) -> None:
    """List the keys of all domains, with their records.

    Example: `posthaste dkim list`
    """
    columns = {
        "domain": "Domain",
        "selector": "Selector",
        "algorithm": "Algorithm",
        "standing": "Standing",
        "record": "Record",
    }
    answer: dict[str, Any] = await session.ask(commands.DomainKeys())
    session.out.rows(answer, "keys", columns, empty="No key yet: posthaste dkim add --help")
