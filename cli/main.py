"""`posthaste`: everything a user or an operator does, from the command line over NATS.

One module for each noun; this one only puts them together.
"""

import logging

import typer

from cli import (
    account,
    audit,
    backup,
    campaign,
    contacts,
    demo,
    dkim,
    doctor,
    doubt,
    keys,
    ledger,
    mailing,
    parked,
    resume,
    streams,
    token,
    up,
    user,
    views,
)
from cli.commands import command

app = typer.Typer(
    name="posthaste",
    help="""An engine for e-mail campaigns: lists and a message in, mails through rates and windows, reports out.

    Begin: `posthaste up` in one terminal; in another `posthaste account add`, `posthaste contacts import`,
    `posthaste campaign open`, `posthaste mailing draft`, `audience`, `schedule`, `status --watch`.

    Exit codes: 0 done, 1 a check failed, 2 refused, 3 nobody answers.
    """,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)

command(app, "up")(up.up)
command(app, "demo")(demo.demo)
for nouns in (account, dkim, contacts, campaign, mailing, doubt, token, user, streams, parked, keys):
    app.add_typer(nouns.app)
command(app, "backup")(backup.backup)
command(app, "restore")(backup.restore)
command(app, "doctor")(doctor.doctor)
command(app, "stop")(resume.stop)
command(app, "resume")(resume.resume)
command(app, "ledger")(ledger.ledger)
command(app, "views")(views.views)
command(app, "audit")(audit.audit)


def main() -> None:
    """Run the command line."""
    logging.getLogger("shared.eventlog").setLevel(logging.CRITICAL)  # what a person has to know is said as an error
    app()


if __name__ == "__main__":
    main()
