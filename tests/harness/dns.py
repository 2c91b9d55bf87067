"""A DNS server of TXT and MX records on a free port of this machine: what it knows, NXDOMAIN else, or silence."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    """See the module.

    Attributes:
        records: Name without the last dot -> its texts.
        silent: Answers nothing.
        exchangers: Domain -> its mail exchangers; "." is one that takes no mail.
    """

    records: Mapping[str, Sequence[str]]
    silent: bool = False
    exchangers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's is none by its class
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        query = dns.message.from_wire(data)
        name = query.question[0].name.to_text(omit_final_dot=True).lower()
        self.asked.append(name)
        if self.silent:
            return
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.AA
        if name not in self.records and name not in self.exchangers:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif said := self._said(name, query.question[0].rdtype):
            kind = dns.rdatatype.to_text(query.question[0].rdtype)
            answer.answer.append(dns.rrset.from_text_list(query.question[0].name, 60, "IN", kind, said))
        self._transport.sendto(answer.to_wire(), addr)

    def _said(self, name: str, kind: dns.rdatatype.RdataType) -> list[str]:
        if kind == dns.rdatatype.MX:
            return [f"10 {host.removesuffix('.')}." for host in self.exchangers.get(name, ())]
        texts = self.records.get(name, ())
        return [" ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200)) for text in texts]


@asynccontextmanager
async def dns_server(
    records: Mapping[str, Sequence[str]],
    *,
    silent: bool = False,
    exchangers: Mapping[str, Sequence[str]] | None = None,
) -> AsyncIterator[DnsServer]:
    """Serve `records` and `exchangers` while the context lasts."""
    loop = asyncio.get_running_loop()
    served = DnsServer(records, silent, exchangers or {})
    transport, server = await loop.create_datagram_endpoint(lambda: served, ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
