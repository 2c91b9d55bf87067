"""The configuration of nats-server, as text: fsync on every append, local monitoring, users with their permissions.

Passwords are references to environment variables (`POSTHASTE_NATS_PASSWORD_PLANNER`, ...), so the text holds no secret;
tests may put plain ones in. `python -m deploy.nats_conf` writes the files that compose and Kubernetes mount; a test
holds them against this module.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.permissions import USERS, Permissions


@dataclass(frozen=True)
class Encryption:
    """Files (PEM) a server proves itself by, to clients and to the other servers, and whom it believes."""

    cert_file: Path
    key_file: Path
    ca_file: Path


@dataclass(frozen=True)
class ServerConf:
    """One server.

    Attributes:
        name: Its name, unique in a cluster; `$NAME` takes it from the environment.
        store_dir: Where JetStream keeps its files.
        host: Where clients connect; 127.0.0.1 unless the network is closed to others.
        http_port: Monitoring, always on 127.0.0.1 unless `http_host` says otherwise.
        routes: Cluster listeners of all servers, `host:port`; () for a single server.
        cluster_listen: Its own, `host:port`.
        encryption: TLS for clients, and in both directions between servers; None leaves everything in clear.
    """

    name: str
    store_dir: Path
    host: str = "127.0.0.1"
    port: int = 4222
    http_host: str = "127.0.0.1"
    http_port: int = 8222
    routes: tuple[str, ...] = ()
    cluster_listen: str = ""
    encryption: Encryption | None = None


def password_variable(user: str) -> str:
    """Return the environment variable in which the server finds the password of `user`."""
    return f"POSTHASTE_NATS_PASSWORD_{user.upper()}"


def render(conf: ServerConf) -> str:
    """Return the whole configuration file."""
    return (
        f"server_name: {conf.name if conf.name.startswith('$') else _quoted(conf.name)}\n"
        f"listen: {_quoted(f'{conf.host}:{conf.port}')}\n"
        f"http: {_quoted(f'{conf.http_host}:{conf.http_port}')}\n"
        "max_payload: 1MB\n"
        # An acknowledged append is on the disk: without this the server may lose two minutes of it at a power cut.
        f"jetstream {{ store_dir: {_quoted(str(conf.store_dir))}, sync_interval: always }}\n"
        + _encryption(conf)
        + _cluster(conf)
        + authorization()
    )


def _encryption(conf: ServerConf) -> str:
    """Let clients begin with the handshake, as ours do, or wait to be asked for it; nobody says anything in clear.

    A client that waits is asked after a second. Where the server asks sooner (`auto`: after 50 ms), one of ours that is
    busy at that moment takes the question for a broken handshake.
    """
    if conf.encryption is None:
        return ""
    return f'tls {{ {_proof(conf.encryption)}, handshake_first: "1s", timeout: 5 }}\n'


def _cluster(conf: ServerConf) -> str:
    if not conf.routes:
        return ""
    routes = ", ".join(_quoted(f"nats://{route}") for route in conf.routes)
    # Clients are told of all servers by name; addresses learnt from the servers would not match the certificate.
    parts = ["name: posthaste", f"listen: {_quoted(conf.cluster_listen)}", f"routes: [{routes}]", "no_advertise: true"]
    if conf.encryption:
        # Whoever routes is a server: it must show a certificate of our authority.
        ca_file = _quoted(str(conf.encryption.ca_file))
        parts.append(f"tls {{ {_proof(conf.encryption)}, ca_file: {ca_file}, verify: true, timeout: 5 }}")
    return "cluster {\n" + "".join(f"  {part}\n" for part in parts) + "}\n"


def _proof(encryption: Encryption) -> str:
    return f"cert_file: {_quoted(str(encryption.cert_file))}, key_file: {_quoted(str(encryption.key_file))}"


def authorization(passwords: Mapping[str, str] | None = None) -> str:
    """Return the block of users; with `passwords` they stand in it, else the server takes them from its environment."""
    users = "".join(
        _user(name, _quoted(passwords[name]) if passwords else f"${password_variable(name)}", permissions)
        for name, permissions in USERS.items()
    )
    return f"authorization {{\n  users: [\n{users}  ]\n}}\n"


def _user(name: str, password: str, permissions: Permissions) -> str:
    lines = [f"      publish: {{ allow: {_list(permissions.publish)}"]
    if permissions.deny_publish:
        lines.append(f"        deny: {_list(permissions.deny_publish)}")
    lines[-1] += " }"
    lines.append(f"      subscribe: {{ allow: {_list(permissions.subscribe)} }}")
    if permissions.responds:
        # One answer to each request, up to the longest that a handler may take.
        lines.append('      allow_responses: { max: 1, expires: "10m" }')
    body = "\n".join(lines)
    return f"    {{ user: {name}, password: {password}, permissions: {{\n{body}\n    }} }}\n"


def _list(subjects: Iterable[str]) -> str:
    return "[" + ", ".join(_quoted(subject) for subject in subjects) + "]"


def _quoted(text: str) -> str:
    return json.dumps(text)


_CERTIFICATES = Path("/etc/nats/certificates")


def _node(*routes: str) -> ServerConf:
    """Return the configuration that the servers of a cluster share; each has its name from the environment."""
    return ServerConf(
        name="$NATS_NAME",
        store_dir=Path("/data/jetstream"),
        host="0.0.0.0",  # noqa: S104 - inside its container
        http_host="0.0.0.0",  # noqa: S104 - for probes, inside the closed network
        routes=tuple(f"{route}:6222" for route in routes),
        cluster_listen="0.0.0.0:6222",
        encryption=Encryption(
            _CERTIFICATES / "server.pem", _CERTIFICATES / "server.key", _CERTIFICATES / "authority.pem"
        ),
    )


NODES: dict[str, tuple[str, ...]] = {
    "compose": ("nats-1", "nats-2", "nats-3"),
    "kubernetes": ("nats-0.nats", "nats-1.nats", "nats-2.nats"),
}
"""Names under which the servers reach each other and clients reach them."""

CONFS: dict[Path, ServerConf] = {
    Path("deploy/nats/compose.conf"): _node(*NODES["compose"]),
    Path("deploy/kubernetes/nats.conf"): _node(*NODES["kubernetes"]),
}
"""The files, and what stands in them."""


def main() -> None:
    """Write the files below the current folder."""
    for path, conf in CONFS.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(conf))


if __name__ == "__main__":
    main()
