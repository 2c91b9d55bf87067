"""All pages of the console, one file each; `register` puts them where they are found."""

from typing import TYPE_CHECKING

from services.reporting.console.frame import nothing

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


def register(console: "Console") -> None:
    """Register every page."""
    from services.reporting.console.pages import (  # noqa: PLC0415 - the pages know the console, not the reverse
        access,
        accounts,
        audience,
        campaign,
        contacts,
        follow_up,
        health,
        list_confirmation,
        list_members,
        mailboxes,
        mailing,
        mailings,
        me,
        parked,
        series,
        single_mail,
        templates,
        wizard,
    )

    work = (
        mailings,
        campaign,
        wizard,
        mailing,
        audience,
        follow_up,
        series,
        templates,
        single_mail,
        contacts,
        list_confirmation,
        list_members,
    )
    for page in (*work, accounts, mailboxes, health, parked, access, me):
        page.register(console)


def forbidden(permission: str) -> None:
    """Draw what a page says to those who may not see it."""
    text = (
        f"This needs the permission “{permission.replace('_', ' ')}”. Whoever administers Posthaste can give it to you."
    )
    nothing("Not for you to see", text, "Back to the mailings", "/")
