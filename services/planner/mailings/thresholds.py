"""When a mailing stops by itself: too many of those that were tried bounced, or were refused for other reasons.

Pure. Nothing is judged before `after` mails were answered, so a small mailing never stops; shares are of all that were
answered. Complaints stop nothing before there are a few: the share that matters is small, and one person is no sample.
What was planned before the last resume does not count: whoever resumed has seen it.
"""

from typing import NamedTuple

from shared.contracts.mailing_settings import StopRules

FEW_COMPLAINTS = 5


class Tried(NamedTuple):
    """How the mails of a mailing fared: accepted, refused for an address at fault, refused for any other reason.

    What bounced after it was accepted counts as refused; a complaint is one about an accepted mail.
    """

    accepted: int = 0
    bounced: int = 0
    failed: int = 0
    complained: int = 0

    @property
    def answered(self) -> int:
        """All that relays answered."""
        return self.accepted + self.bounced + self.failed


def why_stop(rules: StopRules | None, tried: Tried) -> str:
    """Return why the mailing has to stop and what to do next, "" where it may go on."""
    if rules is None or tried.answered < rules.after:
        return ""
    for share, count, least, what in (
        (rules.bounces, tried.bounced, 1, "bounced: is the list old, bought or wrongly imported?"),
        (rules.errors, tried.failed, 1, "were refused for other reasons: what do the replies say?"),
        (rules.complaints, tried.complained, FEW_COMPLAINTS, "brought complaints: did these people ask for this mail?"),
    ):
        if share is not None and count >= least and count > share * tried.answered:
            return (
                f"stopped by itself: {count} of {tried.answered} mails ({count / tried.answered:.1%}, "
                f"{share:.1%} allowed) {what} Look at the rejected, then resume or cancel."
            )
    return ""
