"""The keys of a domain: what signs, what comes after it, what is gone for good."""

from services.planner.accounts.domain import Add, DomainDecider, Retire, Use
from shared.contracts.domain import DomainKeyAdded, DomainKeyRetired, DomainKeyUsed
from tests.harness.decider_spec import spec

RSA1 = DomainKeyAdded(domain="shop.example", selector="r1", algorithm="rsa", record="v=DKIM1; k=rsa; p=a")
RSA2 = RSA1.model_copy(update={"selector": "r2", "record": "v=DKIM1; k=rsa; p=b"})
ED = RSA1.model_copy(update={"selector": "e1", "algorithm": "ed25519", "record": "v=DKIM1; k=ed25519; p=c"})


def test_a_key_signs_only_when_it_is_told_to() -> None:
    """Its record has to be published first."""
    it = spec(DomainDecider()).when(Add(RSA1)).then(RSA1)
    assert it.state.selectors == []
    assert it.when(Use("r1")).then(DomainKeyUsed(selector="r1")).state.selectors == ["r1"]


def test_the_next_key_of_an_algorithm_takes_the_place_of_the_one_before() -> None:
    """RSA and Ed25519 sign side by side, RSA first."""
    it = spec(DomainDecider()).given(RSA1, ED, DomainKeyUsed(selector="e1"), DomainKeyUsed(selector="r1"), RSA2)
    assert it.state.selectors == ["r1", "e1"]
    assert it.when(Use("r2")).then(DomainKeyUsed(selector="r2")).state.selectors == ["r2", "e1"]
    assert it.when(Use("r1")).then(DomainKeyUsed(selector="r1")).state.selectors == ["r1", "e1"], "and back"


def test_a_retired_key_never_comes_back() -> None:
    """Neither it nor another one under its selector."""
    it = spec(DomainDecider()).given(RSA1, DomainKeyUsed(selector="r1"))
    it.when(Retire("r1")).then(DomainKeyRetired(selector="r1"))
    assert it.state.selectors == []
    it.when(Use("r1")).then_refused("key_retired")
    it.when(Add(RSA1)).then_refused("selector_used", "selector")


def test_a_selector_names_one_key() -> None:
    """Receivers may ask for it years later."""
    it = spec(DomainDecider()).given(RSA1)
    it.when(Add(RSA2.model_copy(update={"selector": "r1"}))).then_refused("selector_used", "selector")
    it.when(Retire("r2")).then_refused("key_unknown", "selector")
    it.when(Add(RSA1)).then_nothing()
