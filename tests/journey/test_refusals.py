"""Bad input by the command line: each gets a clear refusal that names the place, and changes nothing."""

from pathlib import Path
from typing import Any

import pytest

from deploy.local import Local
from tests.harness.posthaste import Posthaste


async def ran(posthaste: Posthaste, *arguments: str) -> Any:  # noqa: ANN401 - whatever was printed
    """Run a command that must succeed and return its JSON."""
    ended = await posthaste(*arguments, "--json")
    assert ended.code == 0, ended.out + ended.error
    return ended.json


async def refused(posthaste: Posthaste, *arguments: str) -> dict[str, Any]:
    """Run a command that must be refused; return the refusal."""
    ended = await posthaste(*arguments, "--json")
    assert ended.code in (1, 2), (arguments, ended.out, ended.error)
    answer = dict(ended.json)
    return dict(answer["refusal"]) if "refusal" in answer else answer


async def position(local: Local) -> int:
    """Return where the log stands."""
    nc = await local.connect("deploy")
    try:
        return (await nc.jetstream().stream_info("EVENTS")).state.last_seq
    finally:
        await nc.close()


BAD_FILES = {
    "encoding": (b"Email;Name\nann@one.example;J\xfcrgen\n", "encoding_wrong", 2),
    "no_address_column": (b"Mailadresse?;Name\nann@one.example;Ann\n", "", 1),
    "duplicate_header": (b"Email;Name;Name\nann@one.example;Ann;Ann\n", "", 1),
    "empty": (b"\n", "", 0),
}


async def test_bad_files_are_refused_with_their_line(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """Wrong encoding, no address column, a header twice: refused whole; a field of a megabyte: its row is rejected."""
    before = await position(local)
    for name, (content, code, line) in BAD_FILES.items():
        file = tmp_path / f"{name}.csv"
        file.write_bytes(content)
        refusal = await refused(posthaste, "contacts", "import", str(file), "--list", "Bad")
        problem = str(refusal.get("message", "")) + str(refusal.get("problem", ""))
        assert problem, name
        if code:
            assert refusal.get("code") == code or code in str(refusal), (name, refusal)
        if line:
            assert refusal.get("line") == line or f"line {line}" in problem.lower(), (name, refusal)
    assert await position(local) == before
    big = tmp_path / "big.csv"
    big.write_bytes(b"Email;Name\nann@one.example;" + b"x" * 1_000_000 + b"\nbob@two.example;Bob\n")
    imported = await posthaste("contacts", "import", str(big), "--list", "Good", "--json")
    assert imported.json["rejected"] == 1 or imported.code == 1, imported.out
    assert "line" in imported.out


@pytest.mark.feature("A2")
async def test_bad_commands_change_nothing(local: Local, posthaste: Posthaste, tmp_path: Path) -> None:
    """Unknown placeholder, bad zone, past date, failing account, no audience, a key used for another body."""
    people = tmp_path / "people.csv"
    people.write_text("email,name\nann@one.example,Ann\n")
    smtp = ["--host", "127.0.0.1", "--tls", "none", "--sender", "news@shop.example"]
    await ran(posthaste, "account", "add", "--name", "good", "--port", str(local.urls.smtp_port), *smtp)
    await ran(posthaste, "account", "test", "good")
    await ran(posthaste, "account", "add", "--name", "dead", "--port", "1", *smtp)
    assert (await refused(posthaste, "account", "test", "dead"))["code"] == "account_not_working"
    await ran(posthaste, "contacts", "import", str(people), "--list", "Readers")
    await ran(posthaste, "campaign", "open", "--name", "Spring", "--list", "Readers")
    text = tmp_path / "mail.txt"
    text.write_text("Hello {{ name }}\n\nYour {{ gadget }}\n")

    def draft(account: str = "good", sender: str = "news@shop.example", *more: str) -> list[str]:
        return [
            *("mailing", "draft", "--name", "May", "--campaign", "Spring", "--account", account),
            *("--from", sender, "--subject", "Hi", "--text", str(text), *more),
        ]

    before = await position(local)
    unknown = await refused(posthaste, *draft())
    assert (unknown["code"], unknown["line"], unknown["field"]) == ("unknown_placeholder", 3, "text")
    text.write_text("Hello {{ name }}\n")
    assert (await refused(posthaste, *draft("dead")))["code"] == "account_not_working"
    assert (await refused(posthaste, *draft("good", "eve@shop.example")))["code"] == "sender_not_allowed"
    assert await position(local) == before

    drafted = await ran(posthaste, *draft("good", "news@shop.example", "--key", "may-1"))
    assert await ran(posthaste, *draft("good", "news@shop.example", "--key", "may-1")) == drafted
    other = await refused(posthaste, *draft("good", "news@shop.example", "--key", "may-1", "--reply-to", "a@b.example"))
    assert other["code"] == "idempotency_key_reused"
    mailing = drafted["mailing"]
    before = await position(local)
    assert "audience" in (await refused(posthaste, "mailing", "schedule", mailing))["code"]
    assert await position(local) == before
    await ran(posthaste, "mailing", "audience", mailing)
    before = await position(local)
    when = ["mailing", "schedule", mailing, "--at"]
    assert "zone" in str(await refused(posthaste, *when, "2030-01-01T09:00", "--zone", "Mars/Olympus"))
    assert "past" in str(await refused(posthaste, *when, "2020-01-01T09:00"))
    for command in ("pause", "resume"):
        assert (await refused(posthaste, "mailing", command, mailing))["code"]
    assert (await refused(posthaste, "mailing", "pause", "nosuchmailing"))["code"]
    assert await position(local) == before


@pytest.mark.parametrize("command", [["mailing", "status", "x"], ["account", "list"]])
async def test_without_an_installation_the_message_says_how_to_start_one(tmp_path: Path, command: list[str]) -> None:
    """Nothing runs: the message names the command that starts it."""
    ended = await Posthaste(tmp_path / "nothing")(*command)
    assert ended.code == 3
    assert "posthaste up" in ended.error
