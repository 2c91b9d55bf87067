"""TXT and MX records of a name, asked of the machine's DNS resolver or of `POSTHASTE_DNS_SERVER`.

What exists comes back as its texts or hosts, what does not as none; a server that does not answer, or no resolver at
all, as None: nobody knows. No answer is kept, a resolver for a minute: the machine may get another one.
"""

import time
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.rdatatype
import dns.resolver

_SECONDS = 5.0
_KEPT = 60.0


class Dns:
    """Asks one resolver."""

    def __init__(self, server: str = "") -> None:
        """Take the server as `host:port` or `host`, "" for the machine's own."""
        self._server = server
        self._kept: tuple[float, dns.asyncresolver.Resolver] | None = None

    async def texts(self, name: str) -> Sequence[str] | None:
        """Return the TXT records of `name`, None where nobody could say."""
        try:
            answer = await self._resolver().resolve(name, dns.rdatatype.TXT, lifetime=_SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):  # an answer: there are none
            return ()
        except (dns.exception.DNSException, OSError):  # told as unknown
            return None
        return tuple(b"".join(record.strings).decode("utf-8", "replace") for record in answer)

    async def exchangers(self, domain: str) -> Sequence[str] | None:
        """Return the mail exchangers of a domain, none where it has none or takes no mail (RFC 7505); None as above."""
        try:
            answer = await self._resolver().resolve(domain, dns.rdatatype.MX, lifetime=_SECONDS, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):  # an answer: there are none
            return ()
        except (dns.exception.DNSException, OSError, ValueError):  # nobody knows, or it is no name of DNS
            return None
        return tuple(
            host for record in answer if (host := record.exchange.to_text(omit_final_dot=True)) not in ("", ".")
        )

    async def policy(self, domain: str) -> Sequence[str] | None:
        """Return the TXT records of `_dmarc`, of the domain or of the nearest one above it (RFC 9989: up the tree)."""
        labels = domain.split(".")
        for first in range(max(1, len(labels) - 1)):
            found = await self.texts(f"_dmarc.{'.'.join(labels[first:])}")
            if found is None or found:
                return found
        return ()

    def _resolver(self) -> dns.asyncresolver.Resolver:
        now = time.monotonic()
        if self._kept is None or now > self._kept[0] + _KEPT:
            self._kept = now, self._made()
        return self._kept[1]

    def _made(self) -> dns.asyncresolver.Resolver:
        if not self._server:
            return dns.asyncresolver.Resolver()
        host, _, port = self._server.rpartition(":") if ":" in self._server else (self._server, "", "53")
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers, resolver.port = [host], int(port)
        return resolver
