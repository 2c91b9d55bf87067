"""A mailing that is looked at, approved of, tried on a sample and sent to the rest, up to the sink."""

import re
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy.local import Local
from services.sender.mails.headers import date
from shared.contracts.verdicts import RULES
from tests.harness.posthaste import Posthaste
from tests.harness.recipient import browser, links_of
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


@pytest.mark.feature("B12", "B13", "B14")
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
        bearer = {"Authorization": f"Bearer {second['secret']}"}
        async with httpx.AsyncClient(base_url=local.urls.planner, headers=bearer) as http:
            shown = (await http.get(f"/v1/mailings/{mailing}/dry-run")).json()["data"]
            assert (shown["digest"], shown["current"]) == (looked["digest"], True)
            wrong = await http.post(f"/v1/mailings/{mailing}/approve", json={"plan": "0" * 32})
            assert wrong.json()["code"] == "plan_changed"
            approved = await http.post(f"/v1/mailings/{mailing}/approve", json={"plan": shown["forecast"]["plan"]})
            assert approved.status_code == 200, approved.text

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

        round_ = ("--every", "week", "--on", "mon,thu", "--at", "09:00", "--in", "Europe/Prague", "--times", "3")
        draft = ("--name", "News", "--campaign", "May", "--account", "relay", *letter)
        opened = await ran(posthaste, "series", "open", *draft, *round_, "--only-new")
        assert opened["next_at"].endswith(("T07:00:00Z", "T08:00:00Z"))
        series = opened["series"]
        await ran(posthaste, "series", "edit", series, *draft, "--every", "month", "--day", "31")
        rows = (await ran(posthaste, "series", "list"))["series"]
        assert [(row["series"], row["rhythm"]["every"], row["only_new"]) for row in rows] == [(series, "month", False)]
        assert (await ran(posthaste, "series", "stop", series))["next_at"] == ""
