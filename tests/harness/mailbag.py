"""Bags of mails as they lie in a mailbox: as many as wanted, each about another recipient, all proven by our tokens."""

from tests.harness.returned import arf, envelope_id, proven
from tests.spec.feedback.mails import block, dsn

KINDS = 5


def bounce(index: int, *, size: int = 0) -> bytes:
    """Return a delivery status about one recipient, with `size` bytes of the mail that came back behind it."""
    address = f"u{index}@example.com"
    text = dsn("I could not deliver it.", block(address, "failed", "5.1.1", "smtp; 550 5.1.1 no such user"), to=address)
    filler = ("x" * 76 + "\n") * (size // 77)
    return _wire(proven(text.replace("\n--=_b--", f"\n{filler}\n--=_b--"), envelope_id(index=index)))


def complaint(index: int) -> bytes:
    """Return a feedback report."""
    return _wire(arf("abuse", envelope_id(index=index)))


def answer(index: int, *, automatic: bool = False) -> bytes:
    """Return what a person, or the machine of one, answers."""
    more = "Auto-Submitted: auto-replied\nSubject: Out of office\n" if automatic else "Subject: Re: News\n"
    return _wire(
        f"From: u{index}@example.com\nTo: news@shop.example\n{more}"
        f"In-Reply-To: <{envelope_id(index=index)}@shop.example>\nMessage-ID: <{index}.{automatic}@example.com>\n\n"
        "I am away until Monday.\n"
    )


def letter(index: int, *, size: int = 0) -> bytes:
    """Return a mail that is no feedback at all."""
    filler = ("y" * 76 + "\n") * (size // 77)
    return _wire(f"From: shop{index}@other.example\nTo: news@shop.example\nSubject: Offer {index}\n\nBuy!\n{filler}")


def mixed(count: int) -> list[bytes]:
    """Return mails of all kinds in turns; one in `KINDS` is a letter, which is no fact."""
    kinds = (bounce, complaint, answer, lambda index: answer(index, automatic=True), letter)
    return [kinds[index % KINDS](index) for index in range(count)]


def _wire(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
