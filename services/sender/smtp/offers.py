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

from services.sender.replies.reply import Phase
from services.sender.smtp import wire
from services.sender.smtp.link import Capabilities
from services.sender.smtp.window import Mail, Result

OURS: Final = "not offered by the relay"


def fit(mail: Mail, offered: Capabilities) -> bytes | Result:
    """Return the envelope to write for `mail`, or why this relay cannot take it."""
    size = len(mail.message) - len(wire.END)
    if 0 < offered.size < size:
        return _no(mail, 552, "5.3.4", "larger than the relay takes")
    of_mail = b" SIZE=%d" % size if offered.declares_size else b""
    of_rcpt = b""
    if not (mail.recipient.isascii() and mail.sender.isascii()):
        if not (offered.smtputf8 and offered.eight_bit):
            return _no(mail, 553, "5.6.7", "the address needs SMTPUTF8")
        of_mail += b" BODY=8BITMIME SMTPUTF8"
    elif mail.mail_id and "dsn" in offered.extensions:
        of_mail += b" RET=HDRS ENVID=" + mail.mail_id
        of_rcpt = b" NOTIFY=FAILURE,DELAY ORCPT=rfc822;" + wire.xtext(mail.recipient)
    return wire.envelope(mail.sender, mail.recipient, of_mail, of_rcpt)


def _no(mail: Mail, code: int, enhanced: str, text: str) -> Result:
    return Result(mail.index, Phase.MAIL, code, enhanced, text, reason=OURS)
