"""A mailing that is looked at, approved of, tried on a sample and sent to the rest, up to the sink."""

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from deploy.local import Local
from services.sender.mails.headers import date
from shared import clock
from shared.contracts.verdicts import RULES
from tests.harness.marketer import PACKET, Marketer, asking, read
from tests.harness.posthaste import Posthaste
from tests.harness.recipient import browser, links_of, read_by_a_person
from tests.harness.smtp import Accepted, ScriptedSmtp
from tests.harness.waiting import until

PEOPLE = "email,name\n" + "".join(f"p{n}@x.example,Person {n}\n" for n in range(20))
HTML = '<p>Hello {{ name }}</p><p><a href="https://shop.example/sale">the sale</a></p>'
SUBJECT = re.compile(rb"^Subject: (.*)\r$", re.MULTILINE)
DATE = re.compile(rb"^Date: .*\r$", re.MULTILINE)


async def ran(posthaste: Posthaste, *arguments: str, code: int = 0) -> Any:  # noqa: ANN401 - whatever was printed
    """Run a command and return its JSON."""
    ended = await posthaste(*arguments, "--json")
    assert ended.code == code, ended.out + ended.error
    return ended.json


def subject_of(mail: Accepted) -> str:
    """Return what a mail is called."""
    found = SUBJECT.search(mail.content)
    assert found is not None
    return found[1].decode()


@pytest.mark.feature("B13", "B14")
async def test_what_was_looked_at_is_what_arrives(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """Each mail of the sample has the bytes of the dry run; who clicked is seen, and what is chosen the others get."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    (tmp_path / "mail.html").write_text(HTML)
    async with ScriptedSmtp() as relay:
        smtp = ("--host", "127.0.0.1", "--port", str(relay.port), "--tls", "none", "--sender", "news@shop.example")
        await ran(posthaste, "account", "add", "--name", "relay", *smtp)
        await ran(posthaste, "account", "test", "relay")
        await ran(posthaste, "contacts", "import", str(tmp_path / "people.csv"), "--list", "Readers")
        await ran(posthaste, "campaign", "open", "--name", "May", "--list", "Readers", "--approval")
        letter = ("--from", "news@shop.example", "--subject", "News", "--html", str(tmp_path / "mail.html"))
        tried = ("--version-subject", "b=Look here", "--sample", "10", "--winner", "hand")
        drafted = await ran(
            posthaste,
            *("mailing", "draft", "--name", "May", "--campaign", "May", "--account", "relay"),
            *letter,
            *tried,
        )
        mailing = drafted["mailing"]
        await ran(posthaste, "mailing", "audience", mailing)
        await ran(posthaste, "mailing", "schedule", mailing)
        looked = await ran(posthaste, "mailing", "dry-run", mailing)
        assert (looked["mails"], looked["failed"], looked["forecast"]["left"]) == (20, 0, 20)
        assert not relay.accepted
        rows = (await ran(posthaste, "mailing", "dry-run-list", mailing, "--all"))["rows"]
        boss = ("--name", "boss", "--permission", "view", "--permission", "approve")
        second = await ran(posthaste, "token", "issue", *boss)
        bearer = second["secret"]
        async with asking(local) as both:
            shown = await both.done("GET", f"/mailings/{mailing}/dry-run", bearer=bearer)
            assert (shown["digest"], shown["current"]) == (looked["digest"], True)
            approve = ("POST", f"/mailings/{mailing}/approve")
            assert await both.denied(*approve, {"plan": "0" * 32}, bearer=bearer) == "plan_changed"
            assert await both.denied("POST", f"/mailings/{mailing}/pause", {}, bearer=bearer) == "forbidden"
            await both.done(*approve, {"plan": shown["forecast"]["plan"]}, bearer=bearer)

        async def told(whether: Callable[[Any], bool]) -> Any:  # noqa: ANN401 - the status
            async def so() -> Any:  # noqa: ANN401 - as above
                status = await ran(posthaste, "mailing", "status", mailing)
                return status if whether(status) else None

            return await until(so, 60, every=0.3)

        await told(lambda status: status["sent"] == 10)
        arrived = time.monotonic()
        await until(lambda: time.monotonic() - arrived > RULES.soon / 1000)  # no person is faster
        sample = list(relay.accepted)
        assert Counter(map(subject_of, sample)) == {"News": 5, "Look here": 5}
        web = browser(local.urls.public)
        for mail in sample:
            if subject_of(mail) == "Look here":
                await web.get(links_of(mail.content).click)
        looked_at = {row["address"]: row["digest"] for row in rows}
        then = date(int(datetime.fromisoformat(looked["date"]).timestamp()))
        for mail in sample:
            made = DATE.sub(b"Date: " + then + b"\r", mail.content) + b".\r\n"
            assert sha256(made).digest()[:8].hex() == looked_at[mail.recipient], "not what was looked at"
        await told(lambda status: status["ab_test"]["versions"][1]["clicked"] == 5)
        assert len(relay.accepted) == 10
        await ran(posthaste, "mailing", "winner", mailing, "b")
        status = await told(lambda status: status["status"] == "Completed")
        rest = relay.accepted[10:]
        assert {subject_of(mail) for mail in rest} == {"Look here"}
        assert len({mail.recipient for mail in relay.accepted}) == 20
        test = status["ab_test"]
        assert (test["stage"], test["winner"], test["chosen_by"]) == ("decided", "b", "hand")
        did = [(row["version"], row["recipients"], row["sent"], row["clicked"]) for row in test["versions"]]
        assert did == [("a", 5, 5, 0), ("b", 5, 5, 5)]
        assert "Winner" in (await posthaste("mailing", "status", mailing)).out
        assert (await ran(posthaste, "ledger", mailing))["balanced"]


async def tries(shop: Marketer, campaign: str, by: str, wait: float, folder: Path) -> str:
    """Start an A/B test on half of the readers of a campaign, drafted over HTTP or by the command line."""
    if by == "clicks":
        test = {"versions": {"b": {"subject": "Look here"}}, "recipients": PACKET // 2, "by": by, "wait_minutes": wait}
        mailing = await shop.draft(campaign, subject="News", html=HTML, ab_test=test)
    else:
        (letter := folder / "mail.html").write_text(HTML)
        of = ("--name", "x", "--campaign", campaign, "--account", "relay", "--from", "news@shop.example")
        tried = ("--version-subject", "b=Look here", "--sample", str(PACKET // 2), "--winner", by, "--wait", str(wait))
        drafted = await shop.ran("mailing", "draft", *of, "--subject", "News", "--html", str(letter), *tried)
        mailing = str(drafted["mailing"])
    await shop.fixed(mailing)
    await shop.ran("mailing", "schedule", mailing)
    return mailing


async def reads_the_second(shop: Marketer, mailing: str, by: str) -> bool:
    """Let whoever got version b open or click it as soon as a person can; return whether that was in time to count."""
    await shop.becomes(mailing, lambda status: status["sent"] >= PACKET // 2)
    sample = shop.arrived(mailing)[: PACKET // 2]
    assert Counter(read(mail)["Subject"] for mail in sample) == {"News": PACKET // 4, "Look here": PACKET // 4}
    await read_by_a_person((await shop.status(mailing))["last_sent"])
    web = browser(shop.system.local.urls.public)
    for mail in sample:
        if read(mail)["Subject"] == "Look here":
            links = links_of(mail.content)
            await web.get(links.click if by == "clicks" else links.pixel)
    number = "clicked" if by == "clicks" else "opened"
    wanted = ("waiting", "decided")
    status = await shop.becomes(
        mailing,
        lambda status: status["ab_test"]["versions"][1][number] == PACKET // 4 and status["ab_test"]["stage"] in wanted,
    )
    decides = datetime.fromisoformat(status["ab_test"]["decides_at"])
    return clock.now() + timedelta(seconds=1) < decides


@pytest.mark.asyncio(loop_scope="package")
@pytest.mark.parametrize("by", ["clicks", "opens"])
@pytest.mark.feature("B14")
async def test_what_people_did_best_with_is_what_the_rest_get(shop: Marketer, tmp_path: Path, by: str) -> None:
    """After the time that was set it is decided by itself; nobody gets both versions."""
    people = {f"{by}{place}@one.example" for place in range(PACKET)}
    await shop.told(*({"id": address.partition("@")[0], "lists": [f"By {by}"]} for address in people))
    campaign = await shop.campaign(f"By {by}")
    mailing = await tries(shop, campaign, by, 0.1, tmp_path)
    if not await reads_the_second(shop, mailing, by):  # the machine slept: once more, with more time
        await shop.completed(mailing)
        mailing = await tries(shop, campaign, by, 0.5, tmp_path)
        assert await reads_the_second(shop, mailing, by)
    mails = await shop.completed(mailing)
    assert set(mails) == people
    assert len(shop.arrived(mailing)) == PACKET
    assert {read(mail)["Subject"] for mail in shop.arrived(mailing)[PACKET // 2 :]} == {"Look here"}
    for status in (await shop.status(mailing), await shop.ran("mailing", "status", mailing)):
        test = status["ab_test"]
        assert (test["stage"], test["winner"], test["chosen_by"]) == ("decided", "b", by)
