"""The Kubernetes manifests are valid, locked down, and run the same services with the same settings as compose.yaml."""

import re
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.env_file import TEMPLATE
from deploy.nats_conf import NODES
from deploy.permissions import USERS
from services.sender.settings import SenderSettings
from tests.harness.containers import ROOT, SETTINGS, Data, compose, manifests

FOLDER = ROOT / "deploy/kubernetes"
MANIFESTS = manifests()
WORKLOADS: dict[str, Data] = {
    found["metadata"]["name"]: found for found in MANIFESTS if found["kind"] in ("Deployment", "StatefulSet", "Job")
}
LASTING = [name for name, found in WORKLOADS.items() if found["kind"] != "Job"]
COMPOSE = compose()["services"]
VARYING = {"POSTHASTE_NATS_URL", "POSTHASTE_NATS_MONITORING", "POSTHASTE_PLANNER_URL"}


def pod(name: str) -> Data:
    """Return the pod of a workload."""
    return dict(WORKLOADS[name]["spec"]["template"]["spec"])


def container(name: str) -> Data:
    """Return the one container of a workload."""
    (only,) = pod(name)["containers"]
    return dict(only)


def plain(name: str) -> dict[str, str]:
    """Return the variables of a workload that have a value."""
    return {entry["name"]: entry["value"] for entry in container(name)["env"] if "value" in entry}


def taken(name: str, kind: str) -> list[tuple[str, str, str]]:
    """Return (variable, name, key) of what comes from secrets or config maps."""
    found = [(entry["name"], entry.get("valueFrom", {}).get(kind)) for entry in container(name)["env"]]
    return [(variable, source["name"], source["key"]) for variable, source in found if source]


@pytest.mark.parametrize("manifest", MANIFESTS, ids=lambda found: f"{found['kind']} {found['metadata']['name']}")
def test_a_manifest_is_valid(manifest: Data) -> None:
    """Every field is one that Kubernetes knows, with a value of its kind."""
    kubernetes_validate.validate(manifest, kubernetes_validate.latest_version(), strict=True)


def test_every_file_is_part_of_the_whole() -> None:
    """kustomization.yaml names each manifest, and generates each config map that is not made by hand."""
    kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(kustomization["resources"]) == files
    assert {image["name"] for image in kustomization["images"]} == {"posthaste"}
    generated = {made["name"] for made in kustomization["configMapGenerator"]}
    mounted = {
        volume["configMap"]["name"] for name in WORKLOADS for volume in pod(name)["volumes"] if "configMap" in volume
    }
    by_hand = set(re.findall(r"kubectl .*create configmap ([\w-]+)", (ROOT / "docs/containers.md").read_text()))
    assert mounted | {source for name in LASTING for _, source, _ in taken(name, "configMapKeyRef")} == (
        generated | by_hand
    )


def test_the_same_services_run_as_in_compose() -> None:
    """The four services, three servers of the same image, and the task that brings the streams up to date."""
    assert set(WORKLOADS) == {*SETTINGS, "nats", "apply-streams"}
    assert WORKLOADS["nats"]["spec"]["replicas"] == 3
    assert container("nats")["image"] == COMPOSE["nats-1"]["image"]
    for name in SETTINGS:
        assert container(name)["args"] == [f"services.{name}.app"]
    assert {name for name in SETTINGS if WORKLOADS[name]["spec"]["replicas"] > 1} >= {"sender", "tracker"}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_service_is_configured_as_in_compose(name: str) -> None:
    """The same variables, with the same values but for addresses; secrets from the secret, never in a manifest."""
    beside = COMPOSE.get(name) or COMPOSE[f"{name}-1"]
    variables = {entry["name"] for entry in container(name)["env"]}
    assert variables == set(beside["environment"])
    for variable, value in plain(name).items():
        if variable not in VARYING:
            assert value == beside["environment"][variable], variable
    secret = {variable for variable, *_ in taken(name, "secretKeyRef")}
    assert {v for v in variables if re.search("PASSWORD|SECRET|PEPPER|DATABASE|MAILGUN|LOGINS", v)} == secret
    ours = [key for _, source, key in taken(name, "secretKeyRef") if source == "posthaste"]
    assert set(ours) <= set(re.findall(r"^(\w+)=", TEMPLATE.read_text(), re.MULTILINE))


def test_the_servers_are_found_by_the_names_of_their_configuration() -> None:
    """Pods are called as in deploy/nats_conf.py, and have the password of every user."""
    nodes = NODES["kubernetes"]
    assert nodes == tuple(f"nats-{place}.{WORKLOADS['nats']['spec']['serviceName']}" for place in range(3))
    for name in (*SETTINGS, "apply-streams"):
        assert plain(name)["POSTHASTE_NATS_URL"] == ",".join(f"tls://{node}:4222" for node in nodes)
    wanted = ",".join(f"http://{node}:8222" for node in nodes)
    assert plain("reporting")["POSTHASTE_NATS_MONITORING"] == wanted
    passwords = {variable for variable, *_ in taken("nats", "secretKeyRef")}
    assert passwords == {f"POSTHASTE_NATS_PASSWORD_{user.upper()}" for user in USERS}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_pod_is_locked_down(name: str) -> None:
    """Not root, nothing written but to volumes, no capabilities, no token of the cluster, bounded memory."""
    inside, whole = container(name)["securityContext"], pod(name)
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    outside = whole["securityContext"]
    assert (outside["runAsNonRoot"], outside["runAsUser"]) == (True, 10001)
    assert outside["seccompProfile"] == {"type": "RuntimeDefault"}
    assert whole["automountServiceAccountToken"] is False
    resources = container(name)["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert "memory" in resources["limits"]


@pytest.mark.parametrize("name", LASTING)
def test_a_pod_is_probed(name: str) -> None:
    """Starting, living and being ready are asked on ports that the container has."""
    asked = container(name)
    ports = {port["name"] for port in asked["ports"]}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert asked[probe]["httpGet"]["port"] in ports
    if name in SETTINGS:
        assert asked["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "ops"}


def test_trackers_are_ready_while_nats_is_away() -> None:
    """Clicks are answered and kept on disk then: an outage of NATS must not take the trackers out of the service."""
    assert container("tracker")["readinessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    for name in ("planner", "sender", "reporting"):
        assert container(name)["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "ops"}


def test_senders_get_their_drain_and_a_minute_more() -> None:
    """A stop in good order leaves no mail in doubt, and journals and spools outlive their pods."""
    assert pod("sender")["terminationGracePeriodSeconds"] == SenderSettings().drain + 60
    for name in ("nats", "sender", "tracker"):
        claims = WORKLOADS[name]["spec"]["volumeClaimTemplates"]
        assert [claim["metadata"]["name"] for claim in claims] == ["data"]


def test_a_drain_of_nodes_takes_one_of_each_at_a_time() -> None:
    """Each lasting workload has a budget that selects its pods."""
    budgets = {
        found["metadata"]["name"]: found["spec"] for found in MANIFESTS if found["kind"] == "PodDisruptionBudget"
    }
    assert set(budgets) == set(LASTING)
    for name, budget in budgets.items():
        assert budget["maxUnavailable"] == 1
        assert budget["selector"] == WORKLOADS[name]["spec"]["selector"]


def test_selectors_find_their_pods() -> None:
    """Labels of pods, selectors of workloads and of services agree; ports of services exist."""
    labels = {name: found["spec"]["template"]["metadata"]["labels"] for name, found in WORKLOADS.items()}
    for name in LASTING:
        assert WORKLOADS[name]["spec"]["selector"]["matchLabels"] == labels[name]
    for service in (found for found in MANIFESTS if found["kind"] == "Service"):
        name = service["metadata"]["name"]
        assert service["spec"]["selector"] == labels[name]
        ports: dict[Any, int] = {port["name"]: port["containerPort"] for port in container(name)["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["name"]] == port["port"] or port["targetPort"] in ports
