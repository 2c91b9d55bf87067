"""Which large mailbox provider an address belongs to: what it says about one of them stays in a lane of its own.

Pure. Only domains that are the provider's own are known; everybody else is `rest`.
"""

from shared.contracts.subjects import REST

_DOMAINS = {
    "gmail": "gmail.com googlemail.com",
    "microsoft": "outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr hotmail.de outlook.de outlook.fr",
    "yahoo": "yahoo.com ymail.com rocketmail.com yahoo.co.uk yahoo.de yahoo.fr aol.com",
    "apple": "icloud.com me.com mac.com",
    "gmx": "gmx.de gmx.net gmx.at gmx.ch web.de gmx.com mail.com",
    "telekom": "t-online.de magenta.de",
    "seznam": "seznam.cz email.cz post.cz",
    "centrum": "centrum.cz atlas.cz volny.cz centrum.sk",
    "wp": "wp.pl o2.pl tlen.pl",
    "onet": "onet.pl op.pl vp.pl interia.pl",
    "orange": "orange.fr wanadoo.fr",
    "libero": "libero.it virgilio.it",
    "mailru": "mail.ru bk.ru list.ru inbox.ru",
    "yandex": "yandex.ru ya.ru yandex.com",
    "qq": "qq.com foxmail.com",
    "netease": "163.com 126.com",
}
_PROVIDERS = {domain: provider for provider, domains in _DOMAINS.items() for domain in domains.split()}

SHARE = 0.05
MOST_LANES = 6  # beside `prompt` and `rest`


def provider(domain: str) -> str:
    """Return the provider of a domain in lower case, "" for all but the large ones."""
    return _PROVIDERS.get(domain, "")


def lanes(counts: dict[str, int]) -> dict[str, str]:
    """Return provider -> lane for an audience with so many contacts by provider ("" counts as rest)."""
    total = sum(counts.values())
    large = sorted((name for name, n in counts.items() if name and n >= total * SHARE), key=lambda p: (-counts[p], p))
    return {name: name if name in large[:MOST_LANES] else REST for name in counts} | {"": REST}
