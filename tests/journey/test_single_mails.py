"""A single mail to one person, outside any campaign, by the command line; at the catcher."""

import email.policy
from email.message import EmailMessage
from email.parser import BytesParser
from pathlib import Path

import pytest

from deploy.local import Local
from tests.harness.posthaste import Posthaste
from tests.harness.waiting import until


def caught(local: Local) -> dict[str, EmailMessage]:
    """Return what the catcher holds, by subject."""
    parse = BytesParser(policy=email.policy.default).parsebytes
    mails = [parse(file.read_bytes()) for file in (local.folder.path / "mails").glob("*/*.eml")]
    return {str(mail["Subject"]): mail for mail in mails if isinstance(mail, EmailMessage)}


@pytest.mark.feature("F2", "G12")
async def test_one_mail_goes_to_one_person_and_to_the_removed_only_if_insisted(
    local: Local, posthaste: Posthaste, tmp_path: Path
) -> None:
    """Nothing but an address is needed; whoever opted out is written to only where an operator insists."""

    async def ran(*arguments: str, code: int = 0) -> str:
        ended = await posthaste(*arguments)
        assert ended.code == code, ended.out + ended.error
        return ended.out + ended.error

    text = tmp_path / "text.txt"
    text.write_text("Dear {{ email }}, your parcel is under way.\n")
    smtp = ("--host", "127.0.0.1", "--port", str(local.urls.smtp_port), "--tls", "none")
    await ran("account", "add", "--name", "relay", *smtp, "--sender", "help@shop.example")
    await ran("account", "test", "relay")
    one = ("mail", "send", "--account", "relay", "--from", "help@shop.example", "--text", str(text))
    ann = (*one, "--to", "Ann@One.example")
    await ran(*ann, "--subject", "Parcel", "--key", "parcel-1")
    await ran(*ann, "--subject", "Parcel", "--key", "parcel-1")
    await until(lambda: "Parcel" in caught(local), 20)
    mail = caught(local)["Parcel"]
    assert mail["To"] == "Ann@One.example"
    assert "Dear Ann@One.example, your parcel" in str(mail.get_content())
    await ran("contacts", "opt-out", "ann@one.example")
    assert "recipient_removed" in await ran(*ann, "--subject", "Refused", code=2)
    await ran(*ann, "--subject", "Insisted", "--although-removed")
    await until(lambda: "Insisted" in caught(local), 20)
    assert len(list((local.folder.path / "mails").glob("*/*.eml"))) == 2  # the one under a key went out once
