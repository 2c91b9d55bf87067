"""`posthaste views`: how far the reports are behind the log."""

from cli.session import Session
from shared.contracts import commands


async def views(session: Session) -> None:
    """Show position, lag and state of each view. A paused one names the event it could not read.

    Example: `posthaste views`
    """
    answer = await session.ask(commands.ViewHealth())
    columns = {"name": "View", "version": "Version", "position": "Position", "lag": "Lag", "state": "State"}
    session.out.rows(answer, "views", columns | {"reason": "Reason"}, empty="No view yet.")
