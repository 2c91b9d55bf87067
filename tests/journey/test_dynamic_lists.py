"""Lists by rules, as a marketer makes them: by the command line and over HTTP, on one installation."""

from pathlib import Path

import httpx
import pytest

from deploy.local import Local
from tests.harness.posthaste import Posthaste

PEOPLE = """email,City,birthday,kind,language,time_zone
ann@shop.example,Athens,1980-02-03,lead,el,Europe/Athens
bob@shop.example,Athens,2020-02-03,,,
eve@shop.example,Rome,1970-01-01,user,it,Europe/Rome
"""
ADULTS = "city = 'athens' and birthday <= today - 18 years"


@pytest.mark.feature("B11")
async def test_a_list_by_a_rule_from_both_ways_in(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """Counted, made, refused with its place, frozen for a campaign; HTTP and the command line say the same."""
    (tmp_path / "people.csv").write_text(PEOPLE)
    done = await posthaste("contacts", "import", str(tmp_path / "people.csv"), "--list", "People")
    assert done.code == 0, done.error
    counted = await posthaste("lists", "count", f"{ADULTS} and cty is empty", "--json")
    assert (counted.json["count"], counted.json["unknown_fields"]) == (1, ["cty"])
    assert [row["address"] for row in counted.json["rows"]] == ["ann@shop.example"]
    ruled = await posthaste("lists", "rule", "Adults", ADULTS)
    assert "The rule finds 1 contacts now." in ruled.out
    assert "Adults" in (await posthaste("lists", "show")).out
    wrong = await posthaste("lists", "rule", "Adults", "city = athens")
    assert wrong.code == 2
    assert wrong.error.startswith("rule_invalid: line 1, column 8: ")
    token = (await posthaste("token", "issue", "--name", "test", "--permission", "all", "--json")).json["secret"]
    bearer = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=local.urls.planner, headers=bearer) as http:
        same = await http.post("/v1/segments/count", json={"rule": ADULTS})
        assert same.json()["data"]["count"] == 1
        given = await http.put("/v1/lists/Southerners/rule", json={"rule": "on list 'Adults' or kind = 'user'"})
        assert given.json()["data"]["found"] == 2
        refused = await http.put("/v1/lists/Adults/rule", json={"rule": "on list 'Southerners'"})
        assert (refused.status_code, refused.json()["code"]) == (422, "list_in_itself")
    host, port = local.urls.smtp_host, str(local.urls.smtp_port)
    relay = ("--host", host, "--port", port, "--tls", "none", "--sender", "news@shop.example")
    await posthaste("account", "add", "--name", "relay", *relay)
    await posthaste("account", "test", "relay")
    await posthaste("campaign", "open", "--name", "c", "--list", "Southerners")
    letter = ("--from", "news@shop.example", "--subject", "Hello", "--html", str(tmp_path / "mail.html"))
    (tmp_path / "mail.html").write_text("<p>{{ city }}</p>")
    drafted = await posthaste(
        "mailing", "draft", "--name", "m", "--campaign", "c", "--account", "relay", *letter, "--json"
    )
    assert drafted.code == 0, drafted.error
    frozen = await posthaste("mailing", "audience", drafted.json["mailing"], "--json")
    assert frozen.json["recipients"] == 2, frozen.out
