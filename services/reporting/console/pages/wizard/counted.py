"""How many get a mailing and how many are left out, with reasons; fixed at the press of a button."""

from collections.abc import Awaitable, Callable

from services.reporting.console import words
from services.reporting.console.desk import Data, Desk
from services.reporting.console.form import Form, Values
from services.reporting.console.html import link, tag
from shared.contracts import commands
from shared.contracts.commands import Refusal


def draw_counts(status: Data) -> None:
    """Draw the numbers of an audience that is fixed."""
    tag("p", f"{words.many(status['recipients'], 'person', 'people')} will get it.", "strong")
    if status["left_out"]:
        with tag("ul", "", "plain-list"):
            for reason, number in status["left_out"].items():
                tag("li", f"{words.count(number)} left out: {words.reason(reason)}", "under")
    link("See who, add and remove people", f"/mailings/{status['mailing']}/audience")


def draw_counting(desk: Desk, status: Data, done: Callable[[], Awaitable[None]]) -> None:
    """Draw the numbers, or why there are none yet, with the button that fixes who gets it."""

    async def fix(_: Values) -> Refusal | None:
        answer = await desk.tell(commands.FreezeAudience(mailing=status["mailing"]))
        if answer.refusal is None:
            await done()
        return answer.refusal

    if status["audience"]:
        draw_counts(status)
    else:
        text = "Nobody is fixed yet, or something was changed since. Each address gets one mail."
        tag("p", text, "under")
    if desk.may("edit"):
        form = Form(fix, "spaced")
        with form:
            form.buttons("Fix again" if status["audience"] else "Fix the recipients", style="plain")
