"""Frozen templates, fetched by hash and compiled once per mailing; the few last used are kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from services.sender.compose import Compiled, compile_content
from shared.contracts.content import Content
from shared.contracts.sending import ChunkPlanned
from shared.keys import KeyRing
from shared.tokens import Signer

KEPT = 8


class Contents:
    """A small cache of compiled templates."""

    def __init__(self, fetch: Callable[[str], Awaitable[bytes]], keys: KeyRing, public_url: str) -> None:
        """Take the function that fetches an object of CONTENT, the key ring and the base of links."""
        self._fetch = fetch
        self._keys = keys
        self._public_url = public_url
        self._compiled: OrderedDict[tuple[str, str, str, str], Compiled] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, plan: ChunkPlanned) -> Compiled:
        """Return the compiled template that `plan` pins; `MissingError`, `UnknownKeyError`, `CompileError`."""
        key = (plan.mailing, plan.content, plan.tracking, plan.token_key)
        async with self._lock:
            compiled = self._compiled.get(key)
            if compiled is None:
                content = Content.model_validate_json(await self._fetch(plan.content))
                compiled = compile_content(
                    content,
                    mailing=plan.mailing,
                    public_url=self._public_url,
                    signer=Signer(self._keys, plan.token_key),
                    tracking=plan.tracking,
                    domain=content.sender_address.rpartition("@")[2],
                )
                self._compiled[key] = compiled
                while len(self._compiled) > KEPT:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(key)
            return compiled
