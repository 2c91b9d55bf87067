"""What happened over time: accepted, opened and clicked, as lines."""

from datetime import datetime
from typing import Any

from nicegui import ui

from services.reporting.console.desk import Data, Desk
from services.reporting.console.html import tag
from shared.contracts import commands

_QUIET = "#858c99"
_GRID = "rgba(130,140,155,0.22)"
_LINES = (("accepted", "Sent", "#2f9e66"), ("opens", "Opens", "#4f7bea"), ("clicks", "Clicks", "#9b6fe0"))


class Chart:
    """The chart; there once something was sent."""

    def __init__(self, desk: Desk, mailing: str) -> None:
        self._desk = desk
        self._mailing = mailing
        with tag("section", "", "card", aria_label="Over time", hidden=True) as self._card:
            with tag("div", "", "section-head"):
                tag("h2", "Over time")
                self._step = tag("p", "", "under")
            self._chart = ui.echart(_options(), renderer="svg").classes("chart")
            self._chart.props('role="img"')
        self._points: list[Data] = []

    async def refresh(self) -> None:
        """Read the points and draw them if there are new ones."""
        found = await self._desk.read(commands.Timeline(mailing=self._mailing))
        points = found["points"]
        if points == self._points or not points:
            return
        self._points = points
        self._card.put(hidden=None)
        self._step.say(f"per {_step(found['step'])}")
        options = self._chart.options
        drawn = _without_gaps(points, found["step"] * 1000)
        for series, (name, _, _) in zip(options["series"], _LINES, strict=True):
            series["data"] = [[at, point.get(name, 0)] for at, point in drawn]
            series["showSymbol"] = len(points) < 2
        totals = ", ".join(f"{label.lower()} {sum(point[name] for point in points)}" for name, label, _ in _LINES)
        self._chart.props(f'aria-label="Over time: {totals}"')
        self._chart.update()


def _without_gaps(points: list[Data], step: float) -> list[tuple[float, Data]]:
    """Return the points by time, with nothing where nothing happened: a line would lead over it."""
    drawn: list[tuple[float, Data]] = []
    for point in points:
        at = _millis(point["at"])
        if drawn and at - drawn[-1][0] > step:
            drawn += [(drawn[-1][0] + step, {}), (at - step, {})]
        drawn.append((at, point))
    return drawn


def _millis(iso: str) -> float:
    return datetime.fromisoformat(iso).timestamp() * 1000


def _step(seconds: int) -> str:
    return {1: "second", 10: "10 seconds", 60: "minute", 600: "10 minutes", 3600: "hour"}.get(seconds, "day")


def _options() -> dict[str, Any]:
    return {
        "animationDuration": 200,
        "grid": {"left": 8, "right": 30, "top": 40, "bottom": 4, "containLabel": True},
        "legend": {
            "top": 0,
            "left": 0,
            "itemWidth": 14,
            "itemHeight": 8,
            "icon": "roundRect",
            "textStyle": {"color": _QUIET},
        },
        "tooltip": {"trigger": "axis", "confine": True},
        "textStyle": {"fontFamily": "Roboto, system-ui, sans-serif"},
        "xAxis": {
            "type": "time",
            "axisLabel": {"color": _QUIET, "hideOverlap": True},
            "axisLine": {"lineStyle": {"color": _GRID}},
            "axisTick": {"show": False},
        },
        "yAxis": {
            "type": "value",
            "minInterval": 1,
            "axisLabel": {"color": _QUIET},
            "splitLine": {"lineStyle": {"color": _GRID}},
        },
        "series": [
            {
                "name": label,
                "type": "line",
                "showSymbol": False,
                "lineStyle": {"width": 2},
                "itemStyle": {"color": colour},
                "areaStyle": {"opacity": 0.08},
                "data": [],
            }
            for _, label, colour in _LINES
        ],
    }
