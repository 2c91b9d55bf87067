"""Which mail of ours is answered: what is signed by us is believed, nothing else."""

from services.tracker.feedback.clues import verify
from services.tracker.feedback.reading import read
from services.tracker.feedback.report import Clues
from shared.keys import KeyRing
from shared.tokens import Signer
from tests.spec.feedback import mails

PEPPER = "pepper of more than thirty-two characters"
RING = KeyRing.of("a secret of more than thirty-two characters", PEPPER)
STRANGER = KeyRing.of("a stranger's secret of more than thirty-two", PEPPER)
WHO = b"m1.0.7"


def _path(ring: KeyRing = RING) -> str:
    signer = Signer(ring)
    return f"b+{signer.kid}.{WHO.decode()}.{signer.bounce_mac(WHO).decode()}"


def _id(ring: KeyRing = RING) -> str:
    return f"{WHO.decode()}.{Signer(ring).recipient_mac(WHO).decode()}"


def _bounce(path: str, message_id: str) -> bytes:
    text = mails.STANDARD["postfix, no such user"][0].replace("m1.0.7.AAAAAAAAAAAAAAAAAAAA", message_id)
    return text.replace("To: news@shop.example", f"To: <{path}@bounces.shop.example>", 1).encode()


def test_the_return_path_proves_whose_mail_came_back() -> None:
    """In whatever case a relay left it."""
    clues = read(_bounce(_path().upper(), "unsigned")).clues
    proof = verify(clues, RING)
    assert proof is not None
    assert (proof.how, proof.token.mailing, proof.token.n, proof.token.index) == ("return-path", "m1", 0, 7)


def test_without_it_the_envelope_id_proves_it_then_the_message_id() -> None:
    """A report to the address in From still finds its mail."""
    clues = read(_bounce("news", _id())).clues
    assert (proof := verify(clues, RING)) is not None
    assert proof.how == "envelope-id"
    later = Clues(message_ids=clues.message_ids)
    assert (proof := verify(later, RING)) is not None
    assert proof.how == "message-id"


def test_what_a_stranger_signed_proves_nothing() -> None:
    """A forged report for a victim suppresses nobody."""
    assert verify(read(_bounce(_path(STRANGER), _id(STRANGER))).clues, RING) is None
    assert verify(read(_bounce(_path()[:-1] + "!", _id()[:-1])).clues, RING) is None


def test_an_answer_of_a_person_names_the_mail_it_answers() -> None:
    """By In-Reply-To and References."""
    raw = mails.header("ann@example.com", "Re: News", f"References: <x@y.example> <{_id()}@shop.example>") + "\nHi\n"
    report = read(raw.encode())
    assert report.kind == "reply"
    assert verify(report.clues, RING) is not None


def test_a_complaint_without_an_address_is_matched_by_what_we_signed() -> None:
    """Providers take the recipient out; our Message-ID stays."""
    text = mails.COMPLAINTS["the address taken out"][0].replace("m1.0.7.AAAAAAAAAAAAAAAAAAAA", _id())
    report = read(text.encode())
    assert report.recipients[0].address == ""
    assert verify(report.clues, RING) is not None


def test_hints_are_gathered_for_people() -> None:
    """Feedback-ID, and to whom the returned mail was addressed where the report does not say."""
    clues = read(mails.IN_WORDS["a list that takes mail of members only"][0].encode()).clues
    assert clues.feedback_ids == ("m1:c1:a1:shop",)
    assert clues.addresses == ("ann@example.com",)
