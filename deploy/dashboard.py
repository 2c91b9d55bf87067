"""The Grafana dashboard, as data: rows of panels, each with its queries; `python -m deploy.dashboard` writes the JSON.

deploy/grafana/dashboards/posthaste.json is what it writes; a test holds the file against this module, and every metric
in a query against docs/metrics.md. First what an operator is asked about, then how it goes, then what it runs on.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

FILE = Path("deploy/grafana/dashboards/posthaste.json")

Data = dict[str, Any]

_SOURCE = {"type": "prometheus", "uid": "prometheus"}
_COLUMNS = 24


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        queries: PromQL by the legend of its series.
        unit: Of Grafana: `short`, `s`, `bytes`, `cps` (counts a second), `percentunit`.
        kind: A number now (`stat`), or lines over time.
        wrong_from: A number from which it is shown in red, None for one that is never wrong.
    """

    title: str
    queries: dict[str, str]
    unit: str = "short"
    kind: Literal["stat", "timeseries"] = "timeseries"
    wrong_from: float | None = None


def _number(title: str, query: str, wrong_from: float | None = None, unit: str = "short") -> Panel:
    return Panel(title, {"": query}, unit, "stat", wrong_from)


def _slowest(metric: str, by: str, where: str = "") -> dict[str, str]:
    """Return the 50th and the 99th of a hundred of a histogram."""
    return {
        f"{{{{{by}}}}} {percent}%": f"histogram_quantile(0.{percent}, "
        f"sum by (le, {by}) (rate({metric}_bucket{where}[$__rate_interval])))"
        for percent in (50, 99)
    }


ROWS: dict[str, list[Panel]] = {
    "To be looked at": [
        _number("Alerts", 'count(ALERTS{alertstate="firing"}) or vector(0)', 1),
        _number("Chunks stuck", 'max(posthaste_chunks_count{state="stuck"})', 1),
        _number("Chunks parked", 'max(posthaste_chunks_count{state="parked"})', 1),
        _number("Recipients in doubt", "max(posthaste_doubts_count)", 1),
        _number("Messages parked", 'max(posthaste_stream_messages_count{stream="PARKED"})', 1),
        _number("Relays out of reach", "max(posthaste_relays_unreachable_count)", 1),
        _number("Accounts paused", "max(posthaste_accounts_paused_count)", 1),
        _number("Views paused", "sum(max by (projector) (posthaste_views_paused_count))", 1),
        _number("Log restored", "max(posthaste_log_restored)", 1),
    ],
    "Sending": [
        Panel(
            "Mails by outcome",
            {"{{outcome}}": "sum by (outcome) (rate(posthaste_mails_total[$__rate_interval]))"},
            "cps",
        ),
        Panel("Mailings", {"{{status}}": "max by (status) (posthaste_mailings_count)"}),
        Panel("Chunks", {"{{state}}": "max by (state) (posthaste_chunks_count)"}),
        Panel("Oldest chunk that waits", {"age": "max(posthaste_chunks_oldest_seconds)"}, "s"),
        Panel(
            "Connections to relays",
            {
                "open": "sum(posthaste_relay_connections_count)",
                "lanes": "max(posthaste_lanes_open_count)",
            },
        ),
        Panel(
            "Connections opened",
            {"{{outcome}}": "sum by (outcome) (rate(posthaste_relay_connects_total[$__rate_interval]))"},
            "cps",
        ),
        Panel(
            "Recipients claimed at once",
            {
                "average": "sum(rate(posthaste_claim_recipients_sum[$__rate_interval]))"
                " / sum(rate(posthaste_claim_recipients_count[$__rate_interval]))"
            },
        ),
        Panel("Jobs", {"in JOBS": 'max(posthaste_stream_messages_count{stream="JOBS"})'}),
    ],
    "Views and requests": [
        Panel(
            "Age of what is not in the views",
            {"{{projector}}": "max by (projector) (posthaste_projector_lag_seconds)"},
            "s",
        ),
        Panel("Commits still to come", {"{{projector}}": "max by (projector) (posthaste_projector_pending_commits)"}),
        Panel("Time to the answer", _slowest("posthaste_request_seconds", "service"), "s"),
        Panel(
            "Requests", {"{{outcome}}": "sum by (outcome) (rate(posthaste_requests_total[$__rate_interval]))"}, "cps"
        ),
    ],
    "HTTP, producers and integrators": [
        Panel(
            "Not let in", {"{{why}}": "sum by (why) (rate(posthaste_http_turned_away_total[$__rate_interval]))"}, "cps"
        ),
        Panel("Live streams", {"open": "sum(posthaste_live_listeners_count)"}),
        Panel(
            "Events of producers",
            {"{{outcome}}": "sum by (outcome) (rate(posthaste_intake_events_total[$__rate_interval]))"},
            "cps",
        ),
        Panel(
            "Events for integrators",
            {"put out": "sum(rate(posthaste_feed_events_total[$__rate_interval]))"},
            "cps",
        ),
        Panel("Age of what is not put out", {"age": "max(posthaste_feed_lag_seconds)"}, "s"),
        Panel("Writing transactions", _slowest("posthaste_write_transaction_seconds", "service"), "s"),
    ],
    "Tracker": [
        Panel(
            "Requests",
            {"{{kind}} {{status}}": "sum by (kind, status) (rate(posthaste_tracker_requests_total[$__rate_interval]))"},
            "cps",
        ),
        Panel(
            "Hits and opt-outs",
            {
                "logged": "sum(rate(posthaste_tracker_facts_logged_total[$__rate_interval]))",
                "spooled": "sum(rate(posthaste_tracker_facts_spooled_total[$__rate_interval]))",
                "replayed": "sum(rate(posthaste_tracker_facts_replayed_total[$__rate_interval]))",
                "lost": "sum(rate(posthaste_tracker_facts_lost_total[$__rate_interval]))",
            },
            "cps",
        ),
        Panel("Spool", {"{{instance}}": "posthaste_tracker_spool_bytes"}, "bytes"),
    ],
    "Event log and NATS": [
        Panel("Time of an append", _slowest("posthaste_append_seconds", "service", '{outcome="ok"}'), "s"),
        Panel(
            "Appends",
            {
                "{{service}} {{outcome}}": "sum by (service, outcome) "
                "(rate(posthaste_append_seconds_count[$__rate_interval]))"
            },
            "cps",
        ),
        Panel("Size of streams", {"{{stream}}": "max by (stream) (posthaste_stream_stored_bytes)"}, "bytes"),
        Panel(
            "Disk of JetStream",
            {"{{server}}": "posthaste_nats_storage_bytes / (posthaste_nats_storage_limit_bytes > 0)"},
            "percentunit",
        ),
        Panel(
            "Waiting for consumers",
            {"{{stream}} {{consumer}}": "max by (stream, consumer) (posthaste_consumer_pending_count)"},
        ),
        Panel("Replicas behind", {"{{stream}}": "max by (stream) (posthaste_stream_replicas_behind_count)"}),
    ],
    "Processes": [
        Panel("CPU", {"{{service}} {{instance}}": "rate(process_cpu_seconds_total[$__rate_interval])"}, "percentunit"),
        Panel("Memory", {"{{service}} {{instance}}": "process_resident_memory_bytes"}, "bytes"),
        Panel(
            "Disk free",
            {"{{service}} {{instance}}": "posthaste_disk_free_bytes / posthaste_disk_size_bytes"},
            "percentunit",
        ),
        Panel("Clock against NATS", {"{{instance}}": "posthaste_clock_offset_seconds"}, "s"),
    ],
}


def dashboard() -> Data:
    """Return the dashboard as Grafana reads it."""
    panels: list[Data] = []
    top = 0
    for title, row in ROWS.items():
        panels.append(_heading(title, top, len(panels) + 1))
        top += 1
        numbers = all(panel.kind == "stat" for panel in row)
        across = len(row) if numbers else min(4, len(row))
        height = 4 if numbers else 8
        for place, panel in enumerate(row):
            where = {
                "x": place % across * (_COLUMNS // across),
                "y": top + place // across * height,
                "w": _COLUMNS // across,
                "h": height,
            }
            panels.append(_panel(panel, where, len(panels) + 1))
        top += -(-len(row) // across) * height
    return {
        "uid": "posthaste",
        "title": "Posthaste",
        "tags": ["posthaste"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "refresh": "10s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "browser",
        "panels": panels,
    }


def _heading(title: str, top: int, number: int) -> Data:
    where = {"x": 0, "y": top, "w": _COLUMNS, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": where, "panels": []}


def _panel(panel: Panel, where: dict[str, int], number: int) -> Data:
    steps: list[Data] = [{"color": "green", "value": None}]
    if panel.wrong_from is not None:
        steps.append({"color": "red", "value": panel.wrong_from})
    defaults: Data = {"unit": panel.unit, "thresholds": {"mode": "absolute", "steps": steps}}
    if panel.kind == "timeseries":
        defaults |= {"min": 0} if panel.title != "Clock against NATS" else {}
        defaults["custom"] = {"fillOpacity": 10, "showPoints": "never", "spanNulls": 60_000}
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": where,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {"refId": chr(ord("A") + place), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
            for place, (legend, query) in enumerate(panel.queries.items())
        ],
    }


_OPTIONS: dict[str, Data] = {
    "stat": {"colorMode": "background", "graphMode": "area", "reduceOptions": {"calcs": ["lastNotNull"]}},
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
}


def rendered() -> str:
    """Return the text of the file."""
    return json.dumps(dashboard(), indent=1) + "\n"


if __name__ == "__main__":
    FILE.write_text(rendered())
