"""Who may do what."""

from typing import TYPE_CHECKING

from services.reporting.console.frame import Frame, heading

if TYPE_CHECKING:
    from services.reporting.console.mount import Console


def register(console: "Console") -> None:
    """Register the page."""

    @console.page("/access", "Access", "administer")
    async def _(frame: Frame) -> None:
        heading("Access")
