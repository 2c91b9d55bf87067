"""The scripted crowd of the demo: it reads its mail as people and machines do, through the real tracker.

Every recipient decides by a hash of the address, so two runs of the demo are alike: 55 % open, 18 % click, 2 %
unsubscribe on the page with a comment, 1 % by the one-click button of their mail program.
"""

import asyncio
import email.policy
import hashlib
import re
import urllib.parse
import urllib.request
from collections import Counter
from collections.abc import Callable
from email.parser import BytesParser
from pathlib import Path

AT_ONCE = 16
OWN = "@outfitters.example"
"""Tests go to ourselves; the crowd leaves them alone."""
COMMENTS = ("Too many mails.", "Not interested any more.", "Πάρα πολλά μηνύματα.", "Ich bin umgezogen.")
_AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"


def _ask(url: str, form: dict[str, str] | None = None) -> None:
    body = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(url, body, {"User-Agent": _AGENT})  # noqa: S310 - links of our own tracker
    with urllib.request.build_opener(_StayHere).open(request, timeout=10) as answer:
        answer.read()


class _StayHere(urllib.request.HTTPRedirectHandler):
    """Take the redirect of a click for an answer: the shop it leads to does not exist."""

    def http_error_302(self, req: object, fp: object, code: int, msg: str, headers: object) -> object:
        """Return the redirect itself."""
        del req, code, msg, headers
        return fp


def _read(path: Path) -> Counter[str]:
    """Do with one mail what its recipient would; return what was done."""
    message = BytesParser(policy=email.policy.default).parsebytes(path.read_bytes())
    part = message.get_body(("html",))
    if part is None or not message["List-Unsubscribe"] or OWN in str(message["To"]):
        return Counter()
    html = part.get_content()
    dice = int(hashlib.sha256(str(message["To"]).encode()).hexdigest()[:8], 16)
    done: Counter[str] = Counter()
    if dice % 100 < 55:
        _ask(re.findall(r'src="([^"]+/o/[^"]+)"', html)[0])
        done["opened"] += 1
    if dice % 100 < 18:
        links = sorted(set(re.findall(r'href="([^"]+/c/[^"]+)"', html)))
        _ask(links[dice // 100 % len(links)])
        done["clicked"] += 1
    leave = re.findall(r"<(http[^>]+)>", str(message["List-Unsubscribe"]))[0]
    if dice % 1000 < 20:
        _ask(leave, {"action": "unsubscribe", "comment": COMMENTS[dice % len(COMMENTS)]})
        done["unsubscribed"] += 1
    elif dice % 1000 < 30:
        _ask(leave, {"List-Unsubscribe": "One-Click"})
        done["unsubscribed"] += 1
    return done


async def read_mails(folder: Path, tick: Callable[[], None]) -> Counter[str]:
    """Let the crowd read every mail in the catcher's folder; `tick` is called for each."""
    paths = sorted(await asyncio.to_thread(lambda: list(folder.glob("*/*.eml"))))
    gate = asyncio.Semaphore(AT_ONCE)
    total: Counter[str] = Counter()

    async def read(path: Path) -> None:
        async with gate:
            total.update(await asyncio.to_thread(_read, path))
        tick()

    await asyncio.gather(*(read(path) for path in paths))
    return total
