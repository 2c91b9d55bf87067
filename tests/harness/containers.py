"""compose.yaml and the Kubernetes manifests as data, for tests that compare them with what runs on one machine."""

import re
from pathlib import Path
from typing import Any

import yaml

from services.planner.settings import PlannerSettings
from services.reporting.settings import ReportingSettings
from services.sender.settings import SenderSettings
from services.tracker.server import TrackerSettings
from shared.settings import Settings

ROOT = Path(__file__).parents[2]

SETTINGS: dict[str, type[Settings]] = {
    "planner": PlannerSettings,
    "sender": SenderSettings,
    "tracker": TrackerSettings,
    "reporting": ReportingSettings,
}

Data = dict[str, Any]


def compose() -> Data:
    """Return compose.yaml with anchors and merges resolved."""
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


def manifests() -> list[Data]:
    """Return the resources of deploy/kubernetes, in the order of kustomization.yaml."""
    folder = ROOT / "deploy/kubernetes"
    wanted = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    return [dict(found) for name in wanted for found in yaml.safe_load_all((folder / name).read_text())]


def locked(package: str, lock: str = "requirements.lock") -> str:
    """Return the version of a package in a lock, "" where it is not in it."""
    found = re.search(rf"^{re.escape(package)}==(\S+)", (ROOT / lock).read_text(), re.MULTILINE)
    return found[1] if found else ""


def versions(lock: str) -> dict[str, str]:
    """Return all versions of a lock by package."""
    return dict(re.findall(r"^([a-z0-9][\w.-]*)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE))


def seconds(duration: str) -> float:
    """Return a duration as compose writes it (`11m`, `1m30s`)."""
    units = {"h": 3600, "m": 60, "s": 1}
    return float(sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([hms])", duration)))
