"""Stories of two mailings and a test with everything that may happen to them, and the views run over a story."""

import random
from collections.abc import Iterable, Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from services.reporting.views import VIEWS
from shared.contracts import mailing as events
from shared.contracts import subjects
from shared.contracts.envelope import Commit
from shared.contracts.sending import ChunkFinished, ChunkParked
from shared.contracts.statuses import StatusesSet
from shared.eventlog.views import View
from tests.harness.story import Story, bounce, complaint, contact, hit, reply

OUTCOMES = ("accepted", "accepted", "accepted", "deferred", "rejected", "in_doubt", "released")
SIZE = 6


def tale(seed: int, *, steps: int = 120) -> Story:
    """Return a random story in which every step could happen."""
    return Tale(seed).told(steps)


class Tale:
    """Makes up a story; final outcomes stand, as the sender's decider sees to."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.story = Story()
        self.planned = {"m1": 0, "m2": 0}
        self.open: set[tuple[str, int, int]] = set()
        self.doubtful: set[tuple[str, int, int]] = set()

    def told(self, steps: int) -> Story:
        """Return the story after as many steps."""
        story = self.story
        for mailing in self.planned:
            story.started(mailing, 4 * SIZE, chunks=4, campaign=f"c{mailing}")
        story.mailing("m1", events.TestSent(test="t1", recipients=2))
        story.planned("t1", 0, 2, kind="test", lane="prompt")
        story.sent("t1", 0, [0, 1])
        for step in range(steps):
            mailing = self.chance.choice(("m1", "m2"))
            n = self.planned[mailing]
            if n < 4 and (not n or self.chance.random() < 0.1):
                story.planned(mailing, n, SIZE)
                self.planned[mailing] += 1
                self.open |= {(mailing, n, index) for index in range(SIZE)}
            else:
                self.step(mailing, self.chance.randrange(n), step)
        for seconds, outcome in enumerate(("sent", "read", "clicked")):
            contacts = [contact(n, index) for n in range(3 - seconds) for index in range(SIZE)]
            at = [index % 7 for index in range(len(contacts))]
            told = {"mailing": "m1", "outcome": outcome, "status": outcome.upper(), "contacts": contacts}
            story.tell(subjects.statuses("cm1"), StatusesSet.model_validate(told | {"base": seconds, "at": at}))
        return story

    def step(self, mailing: str, n: int, step: int) -> None:
        """Let something happen to a chunk or its mailing."""
        chance, story = self.chance, self.story
        indexes = sorted(chance.sample(range(SIZE), chance.randint(1, 3)))
        match chance.randrange(13):
            case 0 | 1 | 2 | 3:
                self.settle(mailing, n, indexes, chance.choice(OUTCOMES))
            case 4:
                self.settle(mailing, n, indexes, chance.choice(("skipped", "expired", "cancelled")))
            case 5 | 6:
                self.hits(mailing, n, indexes[0])
            case 7:
                story.opted_out(mailing, n, indexes[0], comment=f"k{step}", fact=f"o{chance.randrange(8)}")
            case 8:
                self.decide(mailing, n, chance.choice(("resend", "accepted", "rejected")))
            case 9:
                story.mailing(mailing, events.MailingPaused(reason="r"), principal="ben")
                story.mailing(mailing, events.MailingResumed())
            case 10:
                story.tell(subjects.chunk(mailing, n), ChunkParked(reason="died thrice"))
            case 11:
                made = chance.choice((bounce, complaint, reply))
                story.came_back(made(mailing, n, indexes[0]), fact=f"b{chance.randrange(8)}")
            case _:
                story.tell(subjects.chunk(mailing, n), ChunkFinished(totals={"accepted": 1}))

    def hits(self, mailing: str, n: int, index: int) -> None:
        """Let a person or a machine ask for something, around the acceptance or later; some of it is told twice."""
        chance = self.chance
        network = chance.choice(("", "127.0.0.0/24", "8.8.8.0/24", "8.8.4.0/24"))
        agent = chance.choice(("desktop", "desktop", "google-proxy", "apple-privacy", "automat", "other"))
        after = chance.choice((-661, -59, 0)) + chance.randrange(6)
        self.story.hit(
            *(
                hit(f"f{chance.randrange(80)}", mailing, n, index, link=link, after=after, agent=agent, network=network)
                for link in chance.choice(((None,), (None, 0), (1,), (0, 1, 2)))
            )
        )

    def settle(self, mailing: str, n: int, indexes: list[int], outcome: str) -> None:
        """Settle those that are not settled for good."""
        keys = {(mailing, n, index) for index in indexes} & self.open
        if keys:
            self.story.sent(mailing, n, sorted(index for _, _, index in keys), outcome)
        self.doubtful -= keys
        if outcome == "in_doubt":
            self.doubtful |= keys
        elif outcome not in ("deferred", "released"):
            self.open -= keys

    def decide(self, mailing: str, n: int, decision: str) -> None:
        """Decide on all doubts of a chunk."""
        keys = {key for key in self.doubtful if key[:2] == (mailing, n)}
        self.story.mailing(mailing, events.DoubtDecided(n=n, indexes="0-5", decision=decision))
        self.doubtful -= keys
        if decision != "resend":
            self.open -= keys


async def project(
    engine: AsyncEngine, commits: Sequence[Commit], cuts: Iterable[int] = (), views: Sequence[View] = VIEWS
) -> None:
    """Apply the commits to the views, one transaction for each piece between `cuts`."""
    ends = sorted({*cuts, len(commits)} - {0})
    start = 0
    for end in ends:
        async with engine.begin() as conn:
            for view in views:
                await view.apply(conn, commits[start:end])
        start = end
