"""`read(raw)`: one mail that came back, from bytes to a `Report`. It never raises and keeps to the limits of `mime`.

In this order: a feedback report, a delivery status, a bounce in words, an automatic answer, an answer of a person. A
mail that is none of these but encloses one (forwarded by a person or a gateway) is read as what it encloses.
"""

import hashlib

from services.tracker.feedback import arf, automatic, clues, dsn, mime, notice, plain
from services.tracker.feedback.envelope import addresses, is_daemon, typed
from services.tracker.feedback.mime import Part
from services.tracker.feedback.notice import Notice
from services.tracker.feedback.phrases import pattern
from services.tracker.feedback.providers import ses
from services.tracker.feedback.report import Kind, Recipient, Report

MAX_NESTED = 3

_BOUNCE_SUBJECT = pattern("bounce_subjects")
_DELAY = pattern("delays")
_FINAL = pattern("finals")
_DELIVERED = pattern("deliveries")
_FAILED_FIELDS = ("x-failed-recipients", "x-bounced-address", "x-mailer-daemon-recipients")
_NOTHING = ("unknown", "unclear")
_EMPTY_PATHS = ("<>", "<mailer-daemon>", "mailer-daemon")


def read(raw: bytes) -> Report:
    """Return what the mail says."""
    digest = hashlib.sha256(raw).hexdigest()
    mail = mime.parse(raw)
    return _read(mail, digest, 0)


def _read(mail: Part, digest: str, depth: int) -> Report:
    found = notice.read(mail)
    report = _notification(mail, found, digest) or _feedback(mail, found, digest) or _status(mail, found, digest)
    if report is not None:
        return report
    report = _words(mail, found, digest)
    vague = report is None or all(each.reason in _NOTHING for each in report.recipients)
    for enclosed in found.enclosed[:3] if depth < MAX_NESTED else []:
        inner = _read(enclosed, digest, depth + 1)
        if inner.standard or (vague and inner.kind in ("bounce", "delayed", "complaint", "delivered")):
            return inner
    return report or _answer(mail, found, digest)


def _notification(mail: Part, found: Notice, digest: str) -> Report | None:
    document = ses.parse(found.text)
    if document is None:
        return None
    kind, whom = ses.read(document)
    return Report(kind, tuple(whom), clues=clues.gather(mail, found.original, [], [], digest)) if whom else None


def _feedback(mail: Part, found: Notice, digest: str) -> Report | None:
    if found.feedback:
        fields = arf.parse(found)
        kind = arf.feedback_type(fields)
        whom = arf.recipients(fields, found)
        ids = fields.get("original-envelope-id", [])
    elif (other := arf.other_way(mail, found)) is not None:
        kind, whom = other
        ids = []
    else:
        return None
    traces = clues.gather(mail, found.original, ids, [each.address for each in whom], digest)
    return Report("complaint" if kind in arf.COMPLAINTS else "other", tuple(whom), bool(found.feedback), kind, traces)


def _status(mail: Part, found: Notice, digest: str) -> Report | None:
    if not found.statuses:
        return None
    status = dsn.parse(found.statuses)
    kind, whom = dsn.read(status, found.text, _failed(mail))
    if not whom:
        return None
    named = [each.address for each in whom if each.address]
    if not named:
        originals = plain.all_addresses(found.original.get("to", []))
        if len(whom) == 1 and originals:
            whom = [Recipient(originals[0], whom[0].reason, whom[0].status, whom[0].reply_code)]
    traces = clues.gather(mail, found.original, status.message.get("original-envelope-id", []), named, digest)
    return Report(kind, tuple(whom), standard=True, clues=traces)


def _words(mail: Part, found: Notice, digest: str) -> Report | None:
    """Read a bounce that has no status part; None where it is no bounce."""
    subject = mail.text("subject")
    sender = next(iter(addresses(mail.get("from"), 1)), mail.get("from").strip(" <>"))
    failed = _failed(mail)
    daemon = is_daemon(sender) or mail.get("return-path").strip().lower() in _EMPTY_PATHS
    told = _BOUNCE_SUBJECT.search(subject) is not None
    if not (failed or told or daemon) or automatic.ANSWER_SUBJECT.match(subject):
        return None
    if not (failed or is_daemon(sender)) and automatic.voice(mail) == "answer" and not told:
        return None
    if not (failed or daemon) and automatic.REPLY_SUBJECT.match(subject):
        return None  # a person who answers a bounce, or quotes one
    ours = [
        value
        for name in ("to", "delivered-to", "x-original-to", "from", "return-path", "cc")
        for value in mail.fields.get(name, [])
    ]
    ours += [value for name in ("from", "return-path", "sender", "reply-to") for value in found.original.get(name, [])]
    originals = plain.all_addresses(
        [value for name in ("to", "x-original-to") for value in found.original.get(name, [])]
    )
    own = {address.lower() for address in plain.all_addresses(ours)}
    late = _DELAY.search(subject) is not None or (
        _DELAY.search(found.text) is not None and _FINAL.search(subject + found.text) is None
    )
    whom = plain.read(found.text, own, failed, originals, delayed=late)
    silent = all(each.reason in _NOTHING for each in whom)
    nobody = not any(each.address for each in whom)
    if (silent and not told and not failed) or (nobody and not (told and daemon)):
        return None
    kind: Kind = "delayed" if late else "bounce"
    if (
        _DELIVERED.search(found.text)
        and not failed
        and all(not each.reply_code.startswith(("4", "5")) for each in whom)
        and _FINAL.search(subject + found.text) is None
    ):
        kind, whom = "delivered", [Recipient(each.address, "delivered", each.status, each.reply_code) for each in whom]
    return Report(
        kind, tuple(whom), clues=clues.gather(mail, found.original, [], [each.address for each in whom], digest)
    )


def _answer(mail: Part, found: Notice, digest: str) -> Report:
    """Read what is neither bounce nor complaint."""
    traces = clues.gather(mail, found.original, [], [], digest)
    who = automatic.voice(mail)
    if who == "answer":
        sender = addresses(mail.get("from"), 1)
        return Report("auto-reply", tuple(Recipient(address, "vacation") for address in sender), clues=traces)
    if who == "person" and (automatic.answers(mail) or traces.return_paths):
        return Report("reply", clues=traces)
    return Report("other", clues=traces)


def _failed(mail: Part) -> list[str]:
    values = [value for name in _FAILED_FIELDS for value in mail.fields.get(name, [])]
    return [
        address
        for address in dict.fromkeys(plain.all_addresses(values) or [typed(value) for value in values])
        if address
    ]
