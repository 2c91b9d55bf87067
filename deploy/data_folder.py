"""The data folder of one machine: who holds it, its secrets, its ports.

One supervisor at a time holds the folder by a lock that the kernel lets go when it dies. Secrets are made once and
stay: without them neither links in mails already sent nor sealed passwords can be read.
"""

import fcntl
import json
import os
import random
import secrets
import socket
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Literal

from deploy.nats_conf import password_variable
from deploy.permissions import USERS

_ROOM = 20  # senders take the ports after `ops_sender`


class FolderHeldError(RuntimeError):
    """Another supervisor runs on this folder."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens on 127.0.0.1. Senders take `ops_sender`, `ops_sender + 1`, ... for probes."""

    nats: int = 4222
    nats_http: int = 8222
    tracker: int = 8025
    catcher_smtp: int = 2525
    catcher_http: int = 8026
    planner_http: int = 8027
    reporting_http: int = 8028
    ops_planner: int = 9101
    ops_tracker: int = 9102
    ops_reporting: int = 9103
    ops_sender: int = 9110

    def taken(self) -> list[str]:
        """Return the ports somebody else listens on, with their names."""
        return [f"{name} {port}" for name, port in asdict(self).items() if not _is_free(port)]


class DataFolder:
    """One data folder; `hold` before anything is started from it."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock = -1

    def hold(self) -> None:
        """Take the folder, or raise `FolderHeldError` with the pid of who has it."""
        self.path.mkdir(parents=True, exist_ok=True)
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 20).decode().strip() or "unknown"
            os.close(lock)
            raise FolderHeldError(
                f"Posthaste already runs on {self.path} (process {pid}). Stop it first, or use another data folder."
            ) from None
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
        self._lock = lock

    def release(self) -> None:
        """Let go of the folder."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def secrets(self) -> dict[str, str]:
        """Return the secrets as environment variables, made at the first call, readable by the owner alone."""
        path = self.path / "secrets.json"
        wanted = [password_variable(user) for user in USERS]
        wanted += ["POSTHASTE_SECRET_KEYS", "POSTHASTE_ADDRESS_PEPPER"]
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        missing = [name for name in wanted if name not in kept]
        if missing:
            # A letter first: the server reads a value of digits as a number.
            kept |= {name: "p" + secrets.token_hex(24) for name in missing}
            _write_private(path, json.dumps(kept, indent=2) + "\n")
        return kept

    @property
    def has_secrets(self) -> bool:
        """Whether its secrets were made already."""
        return (self.path / "secrets.json").exists()

    def add_key(self) -> str:
        """Put a new signing key in front of the others; return its id. Services know it once they are started anew."""
        kept = self.secrets()
        kept["POSTHASTE_SECRET_KEYS"] = "p" + secrets.token_hex(24) + "," + kept["POSTHASTE_SECRET_KEYS"]
        _write_private(self.path / "secrets.json", json.dumps(kept, indent=2) + "\n")
        from shared.keys import KeyRing  # noqa: PLC0415 - cryptography is slow to load, every command would pay

        return KeyRing.of(kept["POSTHASTE_SECRET_KEYS"], kept["POSTHASTE_ADDRESS_PEPPER"]).active

    def ports(self, wanted: Ports | Literal["free"] | None) -> Ports:
        """Return the ports to use: those given, or free ones that stay the same for this folder, or the defaults."""
        path = self.path / "ports.json"
        kept = _read_ports(path)
        if isinstance(wanted, Ports):
            chosen = wanted
        elif wanted == "free":
            chosen = kept if kept is not None and not kept.taken() else _free_ports()
        else:
            chosen = Ports()
        path.write_text(json.dumps(asdict(chosen)) + "\n")
        return chosen

    def known_ports(self) -> Ports | None:
        """Return the ports of the last start, None where there was none."""
        return _read_ports(self.path / "ports.json")

    def client_environment(self, user: str = "operator") -> dict[str, str]:
        """Return what a client needs to ask what runs from this folder; `FileNotFoundError` if nothing ever did."""
        ports = _read_ports(self.path / "ports.json")
        if ports is None or not (self.path / "secrets.json").exists():
            raise FileNotFoundError(f"nothing was ever started from {self.path}")
        return {
            "POSTHASTE_NATS_URL": f"nats://127.0.0.1:{ports.nats}",
            "POSTHASTE_NATS_USER": user,
            "POSTHASTE_NATS_PASSWORD": self.secrets()[password_variable(user)],
        }


def _read_ports(path: Path) -> Ports | None:
    if not path.exists():
        return None
    kept = json.loads(path.read_text())
    return replace(Ports(), **{f.name: kept[f.name] for f in fields(Ports) if f.name in kept})


def _free_ports() -> Ports:
    """Choose below the range from which the kernel takes ports for outgoing connections."""
    names = [f.name for f in fields(Ports)]
    chosen: list[int] = []
    while len(chosen) < len(names):
        port = random.SystemRandom().randrange(10_000, 32_000)
        if all(abs(port - other) >= _ROOM for other in chosen) and _is_free(port):
            chosen.append(port)
    return Ports(**dict(zip(names, chosen, strict=True)))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:  # taken
            return False
        return True


def _write_private(path: Path, text: str) -> None:
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
