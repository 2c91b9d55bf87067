"""`posthaste`: everything a user or an operator does, from the command line over NATS.

One module for each noun; this one only puts them together, and loads no more than the noun that was typed.
"""

import logging
import sys
from importlib import import_module

import typer

_HELP = """An engine for e-mail campaigns: lists and a message in, mails through rates and windows, reports out.

Begin: `posthaste up` in one terminal; in another `posthaste account add`, `posthaste contacts import`,
`posthaste campaign open`, `posthaste mailing draft`, `audience`, `schedule`, `status --watch`.

Exit codes: 0 done, 1 a check failed, 2 refused, 3 nobody answers.
"""
_GROUPS = (
    *("account", "mailbox", "contacts", "lists", "feedback", "campaign", "mailing", "series"),
    *("template", "tracking-url", "mail"),
    *("doubt", "hits"),
    *("dkim", "token", "user", "streams", "parked", "keys"),
)
_COMMANDS = {
    "up": "cli.up",
    "demo": "cli.demo",
    "backup": "cli.backup",
    "restore": "cli.backup",
    "doctor": "cli.doctor",
    "stop": "cli.resume",
    "resume": "cli.resume",
    "ledger": "cli.ledger",
    "views": "cli.views",
    "audit": "cli.audit",
}
OFFLINE = {"classify": "cli.classify"}
"""Commands that ask no service."""


def program(wanted: str = "") -> typer.Typer:
    """Return the command line: with the noun that is wanted, or with all of them where it is none of ours."""
    app = typer.Typer(
        name="posthaste", help=_HELP, no_args_is_help=True, rich_markup_mode="markdown", pretty_exceptions_enable=False
    )
    app.callback()(_nothing)  # a program of one command would have no nouns
    everything = wanted not in (*_COMMANDS, *OFFLINE, *_GROUPS)
    for name, module in _COMMANDS.items():
        if everything or name == wanted:
            import_module("cli.commands").command(app, name)(getattr(import_module(module), name))
    for name, module in OFFLINE.items():
        if everything or name == wanted:
            app.command(name)(getattr(import_module(module), name))
    for name in _GROUPS:
        if everything or name == wanted:
            app.add_typer(import_module(f"cli.{name.replace('-', '_')}").app)
    return app


def _nothing() -> None: ...


def main() -> None:
    """Run the command line."""
    logging.getLogger("shared.eventlog").setLevel(logging.CRITICAL)  # what a person has to know is said as an error
    program(sys.argv[1] if len(sys.argv) > 1 else "")()


if __name__ == "__main__":
    main()
