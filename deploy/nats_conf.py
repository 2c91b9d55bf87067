"""The configuration of nats-server, as text: fsync on every append, local monitoring, users with their permissions.

Passwords are references to environment variables (`POSTHASTE_NATS_PASSWORD_PLANNER`, ...), so the text holds no secret;
tests may put plain ones in.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.permissions import USERS, Permissions


@dataclass(frozen=True)
class ServerConf:
    """One server.

    Attributes:
        name: Its name, unique in a cluster.
        store_dir: Where JetStream keeps its files.
        host: Where clients connect; 127.0.0.1 unless the network is closed to others.
        http_port: Monitoring, always on 127.0.0.1 unless `http_host` says otherwise.
        routes: Cluster listeners of all servers, `host:port`; () for a single server.
        cluster_listen: Its own, `host:port`.
    """

    name: str
    store_dir: Path
    host: str = "127.0.0.1"
    port: int = 4222
    http_host: str = "127.0.0.1"
    http_port: int = 8222
    routes: tuple[str, ...] = ()
    cluster_listen: str = ""


def password_variable(user: str) -> str:
    """Return the environment variable in which the server finds the password of `user`."""
    return f"POSTHASTE_NATS_PASSWORD_{user.upper()}"


def render(conf: ServerConf) -> str:
    """Return the whole configuration file."""
    cluster = ""
    if conf.routes:
        routes = ", ".join(_quoted(f"nats://{route}") for route in conf.routes)
        cluster = f"cluster {{ name: posthaste, listen: {_quoted(conf.cluster_listen)}, routes: [{routes}] }}\n"
    return (
        f"server_name: {_quoted(conf.name)}\n"
        f"listen: {_quoted(f'{conf.host}:{conf.port}')}\n"
        f"http: {_quoted(f'{conf.http_host}:{conf.http_port}')}\n"
        "max_payload: 1MB\n"
        # An acknowledged append is on the disk: without this the server may lose two minutes of it at a power cut.
        f"jetstream {{ store_dir: {_quoted(str(conf.store_dir))}, sync_interval: always }}\n"
        + cluster
        + authorization()
    )


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
