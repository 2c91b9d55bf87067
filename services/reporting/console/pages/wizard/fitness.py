"""Whether the account of a mailing works, and what providers will say of it: the preflight, for who may ask for it."""

from services.reporting.console.desk import AwayError, Data, Desk, RefusedError
from services.reporting.console.html import link, pill, tag
from services.reporting.console.written import sender_of
from shared.contracts import commands

_TONES = {
    "good": ("Good", "green"),
    "warning": ("Warning", "amber"),
    "bad": ("Bad", "red"),
    "unknown": ("Unknown", "plain"),
}


async def draw_fitness(desk: Desk, found: Data) -> None:
    """Draw the state of the account and the checks that are not good."""
    accounts = (await desk.read(commands.Accounts()))["accounts"]
    account = next((one for one in accounts if one["account"] == found["account"]), None)
    if account is None:
        tag("p", "The account of this mailing is no more.", "problem")
        return
    works = account["working"]
    text = (
        f"{account['name']} works."
        if works
        else f"{account['name']} does not work: {account['detail'] or 'test it first'}"
    )
    tag("p", text, "" if works else "problem")
    tag("p", f"From {sender_of(found)}", "under")
    if not works:
        link("To the accounts", "/accounts")
    if desk.may("administer"):

        async def ask() -> None:
            place.clear()
            with place:
                await _preflight(desk, found["account"])

        with tag("div", "", "buttons spaced"):
            tag("button", "Ask what providers will find", "button", type="button").on("click", ask)
        place = tag("div", "", "stack", role="status")


async def _preflight(desk: Desk, account: str) -> None:
    """Draw the checks that are not good; they look at DNS, which takes a moment."""
    try:
        seen = await desk.read(commands.Preflight(account=account))
    except (AwayError, RefusedError) as error:  # the start does not hang on it
        tag("p", f"The preflight did not answer: {error}", "under")
        return
    open_ones = [check for check in seen["checks"] if check["state"] != "good"]
    if not open_ones:
        tag("p", "All checks of the preflight are good.", "", data_tone="green")
        return
    tag("p", f"{len(open_ones)} of {len(seen['checks'])} checks are not good.")
    with tag("ul", "", "findings"):
        for check in open_ones:
            with tag("li"):
                pill(*_TONES[check["state"]])
                with tag("div"):
                    tag("p", f"{check['name']} {check['about']}: {check['detail']}")
                    tag("p", check["remedy"], "under")
