"""Frozen templates, fetched by hash and compiled once per mailing with its signing keys; the few last used are kept."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from services.sender.mails.compiled import Compiled, compile_content
from services.sender.mails.dkim import DomainKey
from shared.contracts.content import Content
from shared.contracts.sending import ChunkPlanned
from shared.dkim_keys import SigningKey
from shared.keys import KeyRing
from shared.tokens import Signer

KEPT = 8


class Contents:
    """A small cache of compiled templates."""

    def __init__(
        self,
        fetch: Callable[[str], Awaitable[bytes]],
        fetch_key: Callable[[str, str], Awaitable[SigningKey]],
        keys: KeyRing,
        public_url: str,
    ) -> None:
        """Take what fetches an object of CONTENT, and the key of a domain and selector; the key ring; base of links."""
        self._fetch = fetch
        self._fetch_key = fetch_key
        self._keys = keys
        self._public_url = public_url
        self._compiled: OrderedDict[tuple[str, ...], Compiled] = OrderedDict()
        self._lock = asyncio.Lock()

    async def of(self, plan: ChunkPlanned) -> Compiled:
        """Return the compiled template that `plan` pins.

        Raises:
            MissingError: Template or signing key is gone.
            UnknownKeyError: The token key is gone.
            ValueError: It does not compile, or a signing key does not open.
        """
        key = (plan.mailing, plan.account, plan.content, plan.tracking, plan.token_key, *plan.selectors)
        async with self._lock:
            compiled = self._compiled.get(key)
            if compiled is None:
                content = Content.model_validate_json(await self._fetch(plan.content))
                files = {file.object: await self._fetch(file.object) for file in content.attachments}
                domain = content.sender_address.rpartition("@")[2]
                d = domain.lower()
                signing = [DomainKey(d, name, await self._fetch_key(d, name)) for name in plan.selectors]
                compiled = compile_content(
                    content,
                    mailing=plan.mailing,
                    public_url=self._public_url,
                    signer=Signer(self._keys, plan.token_key),
                    tracking=plan.tracking,
                    domain=domain,
                    account=plan.account,
                    keys=signing,
                    files=files,
                    copy=plan.kind == "copy",
                )
                self._compiled[key] = compiled
                while len(self._compiled) > KEPT:
                    self._compiled.popitem(last=False)
            self._compiled.move_to_end(key)
            return compiled
