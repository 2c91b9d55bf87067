"""Which large mailbox provider an address belongs to: what one of them says of us is about mail to it alone.

Pure. Only domains that are the provider's own are known; everybody else is `rest`.
"""

from shared.contracts.subjects import PROMPT, REST

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


def provider(domain: str) -> str:
    """Return the provider of a domain in lower case, "" for all but the large ones."""
    return _PROVIDERS.get(domain, "")


def of_mail(lane: str, address: str) -> str:
    """Return whose mail it is: the lane's own provider; in a mixed lane that of the address, `rest` where unknown."""
    if lane not in (REST, PROMPT):
        return lane
    return provider(address.rpartition("@")[2].lower()) or REST
