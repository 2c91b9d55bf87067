"""The preflight of an account as the planner answers it, with a DNS server that knows the sender's domain."""

import pytest

from shared.contracts import commands
from tests.harness.dns import dns_server
from tests.integration.planner.conftest import Desk


@pytest.mark.feature("B25")
async def test_an_account_is_checked_against_dns(desk: Desk) -> None:
    """Records are asked of the server in the settings; what is missing is bad and has a remedy."""
    account = await desk.account()
    key = await desk.do(commands.AddDomainKey(domain="example.com", selector="s1"))
    await desk.do(commands.UseDomainKey(domain="example.com", selector="s1"))
    records = {
        "example.com": ["v=spf1 include:relay.example -all"],
        key["record_name"]: [key["record"]],
        "_dmarc.example.com": ["v=DMARC1; p=none"],
    }
    async with dns_server(records) as server:
        await desk.down()
        desk.settings = desk.settings.model_copy(update={"dns_server": f"127.0.0.1:{server.port}"})
        await desk.up()
        found = await desk.ask(commands.Preflight(account=account))
        states = {check["name"]: check["state"] for check in found["checks"]}
        assert states == {
            "works": "good",
            "tls": "warning",
            "one-click": "bad",
            "spf": "good",
            "dkim": "good",
            "dmarc": "good",
            "alignment": "good",
        }
        assert found["verdict"] == "bad"
        records["_dmarc.example.com"] = []
        found = await desk.ask(commands.Preflight(account=account))
        dmarc = next(check for check in found["checks"] if check["name"] == "dmarc")
        assert dmarc["state"] == "bad"
        assert "v=DMARC1" in dmarc["remedy"]
    refused = await desk.client.query(commands.Preflight(account="nobody"), 0)
    assert refused.refusal is not None
    assert refused.refusal.code == "account_unknown"
