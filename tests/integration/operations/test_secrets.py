"""Keys are rotated without a break, and a password or signing key stands nowhere in clear."""

from pathlib import Path

from deploy.local import Local
from shared.contracts import commands, subjects
from shared.contracts.commands import Command, Query
from shared.eventlog.keys import Bucket
from shared.eventlog.store import EventLog
from shared.keys import KeyRing
from shared.messaging.client import Client
from tests.harness.dkim import ED25519
from tests.harness.installations import Quick
from tests.harness.posthaste import Posthaste

PASSWORD = "correct-horse-battery-staple"
ACCOUNT = commands.AddAccount(
    name="relay",
    host="127.0.0.1",
    port=2525,
    tls="none",
    username="robot",
    password=PASSWORD,
    senders=["news@shop.example"],
)
KEY = commands.AddDomainKey(domain="shop.example", selector="s1", private_key=ED25519)


async def _ask(local: Local, wanted: Command | Query) -> dict[str, object]:
    nc = await local.connect("operator")
    client = Client(nc, "operator")
    answer = await (client.command(wanted) if isinstance(wanted, Command) else client.query(wanted))
    await nc.close()
    assert PASSWORD not in answer.model_dump_json()
    assert answer.refusal is None, answer.refusal
    return answer.data


async def _sealed(local: Local, account: str) -> bytes:
    nc = await local.connect("deploy")
    entry = await Bucket(nc, subjects.SECRETS).get(account)
    await nc.close()
    assert entry is not None
    return entry[0]


async def test_a_rotated_key_seals_and_signs_and_the_old_one_still_opens(tmp_path: Path) -> None:
    """Rotate, restart, reseal: the new key is the first, old links verify, and the password is in no file."""
    folder, posthaste = tmp_path / "data", Posthaste(tmp_path / "data")
    async with Quick(folder, ports="free") as local:
        account = str((await _ask(local, ACCOUNT))["account"])
        await _ask(local, KEY)
        before = local.folder.secrets()
        rotated = await posthaste("keys", "rotate", "--json")
        assert rotated.code == 0, rotated.error
    async with Quick(folder, ports="free") as local:
        after = local.folder.secrets()
        ring = KeyRing.of(after["POSTHASTE_SECRET_KEYS"], after["POSTHASTE_ADDRESS_PEPPER"])
        old = KeyRing.of(before["POSTHASTE_SECRET_KEYS"], before["POSTHASTE_ADDRESS_PEPPER"])
        assert ring.active == rotated.json["active"] != old.active
        assert ring.token_keys[old.active] == old.token_keys[old.active], "old links verify"
        assert not ring.sealed_by_first(await _sealed(local, account))
        assert (await _ask(local, commands.ResealSecrets()))["resealed"] == [account, "s1._domainkey.shop.example"]
        signs = ring.unseal(await _sealed(local, subjects.signing_key("shop.example", "s1")))
        assert signs == ED25519
        assert ring.sealed_by_first(await _sealed(local, account))
        assert ring.unseal(await _sealed(local, account)) == PASSWORD
        assert (await _ask(local, commands.ResealSecrets()))["resealed"] == []
        await _ask(local, commands.Accounts())
        await _ask(local, commands.LogLines())
        nc = await local.connect("operator")
        async for commits in EventLog(nc).scan([subjects.ALL_EVENTS]):
            assert PASSWORD not in repr(commits)
        await nc.close()
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 10
    for path in files:
        assert PASSWORD.encode() not in path.read_bytes(), path
        assert ED25519.splitlines()[1].encode() not in path.read_bytes(), path
    assert (folder / "secrets.json").stat().st_mode & 0o077 == 0
