"""Make the certificates of a NATS cluster: an authority of its own and one certificate for all servers.

`python -m deploy.certificates --servers DIR --clients DIR NAME...` writes `server.pem`, `server.key` and
`authority.pem` for servers, and `authority.pem` alone for whoever connects to them. The key of the authority is
forgotten at once: nothing else can ever be signed with it. What is there already and valid for the names is left as it
is, so this may run at every start; what expires within a month, or lacks a name, is made anew, and then servers and
clients have to be started again.
"""

import argparse
import ipaddress
import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

VALID_DAYS = 3650
SOON_DAYS = 30

_PEM = serialization.Encoding.PEM


def make(servers: Path, clients: Path, names: Sequence[str], *, days: int = VALID_DAYS) -> bool:
    """Write the files for `names` unless good ones are there; return whether they were written."""
    if _good(servers, clients, names):
        return False
    now = datetime.now(UTC)
    until = now + timedelta(days=days)
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Posthaste NATS authority")])
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    # A server shows its certificate to clients, and to other servers as their client.
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    server = (
        _builder(server_name, authority_name, server_key.public_key(), now, until)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .add_extension(x509.SubjectAlternativeName([_host(name) for name in names]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    secret = server_key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write(clients / "authority.pem", authority.public_bytes(_PEM), 0o644)
    _write(servers / "authority.pem", authority.public_bytes(_PEM), 0o644)
    _write(servers / "server.key", secret, 0o600)
    _write(servers / "server.pem", server.public_bytes(_PEM), 0o644)  # last: without it all are made anew
    return True


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, begins: datetime, ends: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins - timedelta(hours=1))
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:  # a name, as most are
        return x509.DNSName(name)


def _good(servers: Path, clients: Path, names: Sequence[str]) -> bool:
    """Tell whether all files are there, belong together, name all of `names` and last for a while."""
    files = [servers / "server.pem", servers / "server.key", servers / "authority.pem", clients / "authority.pem"]
    if not all(file.exists() for file in files) or files[2].read_bytes() != files[3].read_bytes():
        return False
    server = x509.load_pem_x509_certificate(files[0].read_bytes())
    named = set(server.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    lasts = server.not_valid_after_utc - datetime.now(UTC)
    return named >= {_host(name) for name in names} and lasts > timedelta(days=SOON_DAYS)


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
        os.fchmod(file.fileno(), mode)  # whatever the umask is
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def main() -> None:
    """Read the arguments and make what is missing."""
    parser = argparse.ArgumentParser(prog="python -m deploy.certificates", description="Certificates for NATS.")
    parser.add_argument("--servers", type=Path, required=True, help="folder of what servers need, the key included")
    parser.add_argument("--clients", type=Path, required=True, help="folder of what clients need")
    parser.add_argument("names", nargs="+", help="names or addresses under which the servers are reached")
    arguments = parser.parse_args()
    made = make(arguments.servers, arguments.clients, arguments.names)
    print("made" if made else "kept")  # noqa: T201 - this is its answer


if __name__ == "__main__":
    main()
