"""A cluster as compose runs it: TLS to clients and between servers, a user for each service; made for localhost."""

from dataclasses import replace
from pathlib import Path

from deploy.certificates import make
from deploy.nats_conf import CONFS, Encryption, ServerConf, password_variable, render
from deploy.permissions import USERS
from tests.harness.nats import NatsCluster, NatsServer, free_port

PASSWORDS = {user: f"secret-{user}-of-a-test" for user in USERS}
COMPOSE = CONFS[Path("deploy/nats/compose.conf")]


class RenderedServer(NatsServer):
    """A server that runs what deploy/nats_conf.py writes, with its places and the passwords put in."""

    def __init__(self, store_dir: Path, conf: ServerConf) -> None:
        super().__init__(store_dir, name=conf.name)
        self._conf = replace(
            conf,
            store_dir=store_dir / "jetstream",
            host="127.0.0.1",
            port=self.port,
            http_host="127.0.0.1",
            http_port=self.http_port,
        )

    @property
    def url(self) -> str:
        """Where clients connect, by the name that stands in the certificate."""
        return f"tls://localhost:{self.port}"

    def conf(self) -> str:
        """Return the text of its configuration file."""
        text = render(self._conf)
        for user, password in PASSWORDS.items():
            text = text.replace(f"${password_variable(user)},", f'"{password}",')
        return text


class GuardedCluster(NatsCluster):
    """Three such servers; `ca_file` is what clients must believe."""

    def __init__(self, store_dir: Path) -> None:
        servers, clients = store_dir / "servers", store_dir / "clients"
        make(servers, clients, ["localhost", "127.0.0.1"])
        self.ca_file = clients / "authority.pem"
        encryption = Encryption(servers / "server.pem", servers / "server.key", servers / "authority.pem")
        self.cluster_ports = [free_port() for _ in range(3)]
        routes = tuple(f"127.0.0.1:{port}" for port in self.cluster_ports)
        self.nodes = [
            RenderedServer(
                store_dir / f"n{place + 1}",
                replace(
                    COMPOSE,
                    name=f"n{place + 1}",
                    routes=routes,
                    cluster_listen=f"127.0.0.1:{port}",
                    encryption=encryption,
                ),
            )
            for place, port in enumerate(self.cluster_ports)
        ]
