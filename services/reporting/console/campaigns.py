"""Campaigns that a mailing may be drafted in, as forms offer them."""

from datetime import UTC, datetime

from services.reporting.console.desk import Data, Desk
from shared.contracts import commands


async def active(desk: Desk) -> list[Data]:
    """Return those that are open and end after today."""
    today = datetime.now(UTC).date().isoformat()
    rows = (await desk.read(commands.Campaigns()))["campaigns"]
    return [row for row in rows if row["status"] == "open" and (row["ends_on"] or "9") > today]


def offered(campaigns: list[Data]) -> list[tuple[str, str]]:
    """Return them as what a list to choose from shows."""
    return [
        (one["campaign"], f"{one['name']} (until {one['ends_on']})" if one["ends_on"] else one["name"])
        for one in campaigns
    ]
