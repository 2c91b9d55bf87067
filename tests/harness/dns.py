"""A DNS server of TXT records on a free port of this machine: names it knows, NXDOMAIN for all others, or silence."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import dns.flags
import dns.message
import dns.rcode
import dns.rrset


@dataclass
class DnsServer(asyncio.DatagramProtocol):
    """See the module. `records`: name without the last dot -> its texts; `silent`: answers nothing."""

    records: Mapping[str, Sequence[str]]
    silent: bool = False
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
        texts = self.records.get(name)
        if texts is None:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        elif texts:
            quoted = (" ".join(f'"{text[i : i + 200]}"' for i in range(0, len(text), 200)) for text in texts)
            answer.answer.append(dns.rrset.from_text_list(query.question[0].name, 60, "IN", "TXT", list(quoted)))
        self._transport.sendto(answer.to_wire(), addr)


@asynccontextmanager
async def dns_server(records: Mapping[str, Sequence[str]], *, silent: bool = False) -> AsyncIterator[DnsServer]:
    """Serve `records` while the context lasts."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: DnsServer(records, silent), ("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
