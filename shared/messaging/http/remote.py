"""Who is at the other end: the address and the scheme of a request, as far as a proxy that is trusted says more."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from starlette.requests import Request

_MOST_HOPS = 20


class Remote:
    """Reads requests; only `trusted` networks (comma separated) may say for whom they speak."""

    def __init__(self, trusted: str) -> None:
        self._trusted: Sequence[IPv4Network | IPv6Network] = [
            ip_network(part.strip()) for part in trusted.split(",") if part.strip()
        ]

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:  # a name or nonsense: never trusted
            return False
        return any(ip.version == network.version and ip in network for network in self._trusted)

    def address(self, request: Request) -> str:
        """Return the address of the nearest hop that is no trusted proxy."""
        client = request.client.host if request.client else ""
        if not self._is_trusted(client):
            return client
        hops = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",") if part.strip()]
        for hop in reversed(hops[-_MOST_HOPS:]):
            client = hop
            if not self._is_trusted(hop):
                break
        return client

    def secure(self, request: Request) -> bool:
        """Tell whether the person at the other end speaks TLS."""
        if request.client and self._is_trusted(request.client.host):
            return request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
        return request.url.scheme == "https"
