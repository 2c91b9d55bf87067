"""A mail held against what the relay offers: its envelope with the parameters it needs, or a no before sending. Pure.

* SIZE (RFC 1870): declared where offered; what is larger than the relay takes is refused here, as it would be there.
* SMTPUTF8 (RFC 6531): asked for where an address of the envelope is not ASCII, which only a local part can be: domains
  are A-labels. A local part is never changed to make it fit.
* 8BITMIME (RFC 6152): goes with it, as the address stands in the header, too. All else is encoded to 7 bits before it
  is signed, so no other mail needs it, and none is looked through for it.
* DSN (RFC 3461): reports of failure and delay are asked for, header only, with the mail's id and the address as it was.

A no carries the reply code (RFC 3463) that a relay would have given, and `OURS` as its reason: no relay said it.
"""

from typing import Final

from services.sender import wire
from services.sender.link import Capabilities
from services.sender.reply import Phase
from services.sender.window import Mail, Result

OURS: Final = "not offered by the relay"


def fit(mail: Mail, offered: Capabilities) -> bytes | Result:
    """Return the envelope to write for `mail`, or why this relay cannot take it."""
    size = len(mail.message) - len(wire.END)
    if 0 < offered.size < size:
        return _no(mail, 552, "5.3.4", "larger than the relay takes")
    parameters = b" SIZE=%d" % size if offered.declares_size else b""
    reports = b""
    if not mail.envelope.isascii():
        if not (offered.smtputf8 and offered.eight_bit):
            return _no(mail, 553, "5.6.7", "the address needs SMTPUTF8")
        parameters += b" BODY=8BITMIME SMTPUTF8"
    elif "dsn" in offered.extensions and mail.dsn is not None:
        mail_id, address = mail.dsn
        parameters += b" RET=HDRS ENVID=" + mail_id
        reports = b" NOTIFY=FAILURE,DELAY ORCPT=rfc822;" + wire.xtext(address)
    if reports:
        sender, recipient, rest = mail.envelope.split(b"\r\n", 2)
        return b"%b%b\r\n%b%b\r\n%b" % (sender, parameters, recipient, reports, rest)
    return mail.envelope.replace(b"\r\n", parameters + b"\r\n", 1) if parameters else mail.envelope


def _no(mail: Mail, code: int, enhanced: str, text: str) -> Result:
    return Result(mail.index, Phase.MAIL, code, enhanced, text, reason=OURS)
