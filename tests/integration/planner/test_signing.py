"""Keys that sign: made or brought, used, rotated, retired; on a planner with real log and bucket."""

from datetime import timedelta

import pytest

from services.planner.accounts import signing
from shared.contracts import commands, subjects
from shared.dkim_keys import SigningKey
from shared.eventlog.documents import Documents
from shared.eventlog.errors import MissingError
from shared.keys import KeyRing
from tests.harness.dkim import ED25519, RSA
from tests.harness.waiting import until
from tests.integration.planner.conftest import Desk

DOMAIN = "example.com"


def _of(selector: str) -> dict[str, str]:
    return {"domain": DOMAIN, "selector": selector}


async def _private(desk: Desk, selector: str) -> str:
    keys = KeyRing.of(desk.settings.secret_keys, desk.settings.address_pepper)
    place = subjects.sealed(subjects.signing_key(DOMAIN, selector))
    return keys.unseal(await Documents(desk.nc, subjects.bucket(subjects.SECRETS)).get(place))


async def _standings(desk: Desk) -> dict[str, str]:
    return {row["selector"]: row["standing"] for row in (await desk.ask(commands.DomainKeys()))["keys"]}


async def test_a_key_is_made_published_and_used(desk: Desk) -> None:
    """The answer holds the record of the sealed private key; the same command again makes no other one."""
    wanted = commands.AddDomainKey(**_of("p1"))  # type: ignore[arg-type]
    made = await desk.do(wanted, "k")
    assert made["record_name"] == "p1._domainkey.example.com"
    assert SigningKey(await _private(desk, "p1")).record() == made["record"]
    assert await desk.do(wanted) == made
    assert (made["algorithm"], made["standing"]) == ("rsa", "waiting")
    assert (await desk.do(commands.UseDomainKey(**_of("p1"))))["standing"] == "signing"
    assert await desk.refused(commands.UseDomainKey(**_of("p2"))) == "key_unknown"
    assert "PRIVATE" not in repr(await desk.events(subjects.domain(DOMAIN)))


async def test_a_key_is_brought_and_checked(desk: Desk) -> None:
    """What is no key is refused, and a selector never names two."""
    await desk.do(commands.AddDomainKey(**_of("b1"), private_key=ED25519))  # type: ignore[arg-type]
    assert await _private(desk, "b1") == ED25519
    bad = commands.AddDomainKey(**_of("b2"), private_key="-----BEGIN")  # type: ignore[arg-type]
    assert await desk.refused(bad) == "key_invalid"
    other = commands.AddDomainKey(**_of("b1"), private_key=RSA)  # type: ignore[arg-type]
    assert await desk.refused(other) == "selector_used"


async def test_chunks_pin_the_keys_that_sign_and_a_retired_one_stays_until_none_does(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rotation: planned chunks keep the old selector and its private key, later ones have the new one."""
    monkeypatch.setattr(signing, "_UNDER_WAY", timedelta(0))
    for selector, pem in (("r1", RSA), ("e1", ED25519)):
        await desk.do(commands.AddDomainKey(**_of(selector), private_key=pem))  # type: ignore[arg-type]
        await desk.do(commands.UseDomainKey(**_of(selector)))
    await desk.imported(b"email\none@example.org\n")
    before = await desk.drafted()
    await desk.do(commands.SendTest(mailing=before, to=["t@example.org"]))
    test = (await desk.do(commands.SendTest(mailing=before, to=["u@example.org"])))["test"]
    assert (await desk.plans(test))[0].selectors == ["r1", "e1"]
    await desk.do(commands.AddDomainKey(**_of("r2")))  # type: ignore[arg-type]
    await desk.do(commands.UseDomainKey(**_of("r2")))
    after = (await desk.do(commands.SendTest(mailing=before, to=["v@example.org"])))["test"]
    assert (await desk.plans(after))[0].selectors == ["r2", "e1"]
    assert await _standings(desk) == {"r1": "replaced", "e1": "signing", "r2": "signing"}
    await desk.do(commands.RetireDomainKey(**_of("r1")))
    assert await desk.refused(commands.UseDomainKey(**_of("r1"))) == "key_retired"
    assert await desk.refused(commands.AddDomainKey(**_of("r1"), private_key=RSA)) == "selector_used"  # type: ignore[arg-type]
    await desk.do(commands.AddDomainKey(**_of("x1")))  # type: ignore[arg-type]
    await desk.do(commands.RetireDomainKey(**_of("x1")))
    await desk.down()
    await desk.up()  # housekeeping begins with a round
    await _gone(desk, "x1")
    assert await _private(desk, "r1") == RSA, "a test mail that was not sent yet pins it"


async def _gone(desk: Desk, selector: str) -> None:
    async def gone() -> bool:
        try:
            await _private(desk, selector)
        except MissingError:  # overwritten
            return True
        return False

    await until(gone, 15)
