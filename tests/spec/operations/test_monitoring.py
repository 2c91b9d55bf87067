"""Alerts, runbooks and the dashboard speak of metrics that there are, and every alert fires when it should."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from deploy import dashboard
from tests.harness.containers import ROOT, compose

PROMETHEUS = ROOT / "deploy/prometheus"
METRICS = dict(re.findall(r"^\| `(posthaste_\w+)` \| (\w+) \|", (ROOT / "docs/metrics.md").read_text(), re.MULTILINE))
SHOWN = {
    f"{name}{suffix}"
    for name, kind in METRICS.items()
    for suffix in (("_bucket", "_count", "_sum") if kind == "histogram" else ("",))
}
RULES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"][0]["rules"]
CASES: list[dict[str, Any]] = yaml.safe_load((PROMETHEUS / "alerts.test.yml").read_text())["tests"]
RUNBOOKS = (ROOT / "docs/runbooks.md").read_text()
ALERTS = [rule["alert"] for rule in RULES]


def used(query: str) -> set[str]:
    """Return the metrics of ours that a query names."""
    return set(re.findall(r"posthaste_\w+", query))


@pytest.fixture(scope="module")
def promtool() -> str:
    """Return the path of promtool; a build must have it."""
    found = shutil.which("promtool")
    if found is None and not os.environ.get("CI"):
        pytest.skip("promtool is missing: apt-get install prometheus")
    assert found is not None, "promtool is missing: .ci/run installs it"
    return found


def test_every_kind_of_metric_is_documented_as_it_is() -> None:
    """The kind in docs/metrics.md is the one the code makes."""
    made = re.compile(r"\b(counter|gauge|histogram)\(\s*\"(posthaste_\w+)\"")
    kinds = {
        name: kind
        for folder in ("services", "shared")
        for path in (ROOT / folder).rglob("*.py")
        for kind, name in made.findall(path.read_text())
    }
    assert kinds == METRICS
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in kinds.items())


@pytest.mark.parametrize("rule", RULES, ids=ALERTS)
def test_an_alert_names_metrics_that_exist(rule: dict[str, Any]) -> None:
    """A metric that was renamed would silence it for ever; it says how urgent it is and what happened."""
    assert used(rule["expr"]) <= SHOWN
    assert used(rule["expr"]) or "up{" in rule["expr"]
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"]


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    """One section each, in the same order, that says what it means, how to look and what to do."""
    assert len(set(ALERTS)) == len(ALERTS)
    titles = re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE)
    assert titles == ALERTS
    for section in RUNBOOKS.split("\n## ")[1:]:
        assert re.findall(r"^\*\*(\w+)\.\*\*", section, re.MULTILINE) == ["Means", "Look", "Do"], section[:30]


def test_runbooks_speak_of_metrics_and_alerts_that_exist() -> None:
    """No metric is misspelt, and whatever looks like the name of an alert is one."""
    assert used(RUNBOOKS) <= set(METRICS)
    named = set(re.findall(r"(?<![`\w])[A-Z][a-z]+(?:[A-Z][a-z]+)+\b(?!`)", RUNBOOKS))
    assert named - {"JetStream"} <= set(ALERTS) | {"PostgreSQL"}


def test_every_alert_is_tried_out() -> None:
    """It fires in at least one case of alerts.test.yml, and stays silent in another or before its time."""
    tried: dict[str, set[bool]] = {alert: set() for alert in ALERTS}
    for case in CASES:
        for check in case.get("alert_rule_test", []):
            tried[check["alertname"]].add(bool(check["exp_alerts"]))
        if case["name"] == "all is well":
            for alert in ALERTS:
                tried[alert].add(False)
    assert all(seen == {True, False} for seen in tried.values()), tried


def test_the_rules_hold_in_prometheus(promtool: str) -> None:
    """Its own tool runs the cases and finds nothing wrong with rules or configuration."""
    for arguments in (["test", "rules", "alerts.test.yml"], ["check", "config", "--lint-fatal", "prometheus.yml"]):
        ran = subprocess.run([promtool, *arguments], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_prometheus_asks_every_service_of_compose() -> None:
    """Its targets are the containers that have an ops port, on that port, and get the name of their service."""
    config = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"][0]
    found = config["dns_sd_configs"][0]
    services = compose()["services"]
    running = {
        name for name, service in services.items() if re.match(r"services\.", str((service.get("command") or [""])[0]))
    }
    assert set(found["names"]) == running
    assert {services[name]["environment"]["POSTHASTE_OPS_PORT"] for name in running} == {str(found["port"])}
    rule = config["relabel_configs"][0]
    names = {match[1] for name in running if (match := re.fullmatch(rule["regex"], name))}
    assert names == {"planner", "sender", "tracker", "reporting"}


def test_the_checked_in_dashboard_is_the_generated_one() -> None:
    """`python -m deploy.dashboard` would write nothing else."""
    assert (ROOT / dashboard.FILE).read_text() == dashboard.rendered()


def test_the_dashboard_shows_metrics_that_exist() -> None:
    """Every query names one of ours, of Prometheus' own, or of the process."""
    panels = json.loads((ROOT / dashboard.FILE).read_text())["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    assert len(queries) > 30
    for query in queries:
        assert used(query) <= SHOWN, query
        assert used(query) or "ALERTS" in query or "process_" in query, query


def test_the_panels_of_the_dashboard_do_not_overlap() -> None:
    """Each place of the grid belongs to one panel, and none is wider than the page."""
    taken: set[tuple[int, int]] = set()
    for panel in dashboard.dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken
        assert at["x"] + at["w"] <= 24
        taken |= cells


def test_the_queries_of_the_dashboard_are_valid(promtool: str, tmp_path: Any) -> None:  # noqa: ANN401 - pytest's own
    """Prometheus can read each of them."""
    queries = [query for row in dashboard.ROWS.values() for panel in row for query in panel.queries.values()]
    rules = [
        {"record": f"panel:{place}", "expr": query.replace("$__rate_interval", "1m")}
        for place, query in enumerate(queries)
    ]
    path = tmp_path / "panels.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    ran = subprocess.run([promtool, "check", "rules", str(path)], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
