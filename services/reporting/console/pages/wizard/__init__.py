"""A mailing from the first word to its start, in five steps that one may leave and come back to.

What a step saves is saved at once, by the commands that programs use as well: nothing of it is kept here. Only the
start that was chosen waits in a cookie of the browser until it is set, by the last step.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


def register(console: "Console") -> None:
    """Register every step."""
    from services.reporting.console.pages.wizard import (  # noqa: PLC0415 - the pages know the console, not the reverse
        basics,
        check,
        content,
        recipients,
        schedule,
    )

    for page in (basics, recipients, content, schedule, check):
        page.register(console)
