"""`posthaste mail`: one mail to one person, outside any campaign."""

from pathlib import Path
from typing import Annotated

import typer

from cli import choices
from cli.commands import KeyOption, command, group
from cli.session import Session, read_file
from shared.contracts import commands

app = group("mail", "Single mails: one mail to one person.")


@command(app, "send")
async def send(
    session: Session,
    to: Annotated[str, typer.Option("--to", help="Address of the person.")],
    account: Annotated[str, typer.Option("--account", help="SMTP account by id or name.")],
    sender: Annotated[str, typer.Option("--from", help="Sender: `Name <address>` or an address.")],
    subject: Annotated[str, typer.Option("--subject", help="May hold placeholders: {{ name }}.")] = "",
    html: Annotated[Path | None, typer.Option("--html", help="File with the HTML body.")] = None,
    text: Annotated[Path | None, typer.Option("--text", help="File with the text body.")] = None,
    template: Annotated[str, typer.Option("--template", help="Template by id or name, for what is not given.")] = "",
    reply_to: Annotated[str, typer.Option("--reply-to", help="Where answers go.")] = "",
    language: Annotated[str, typer.Option("--language", help="Code of the language of links and pages, e.g. el.")] = "",
    zone: Annotated[str, typer.Option("--zone", help="Time zone of {{ today }} and {{ now }}; else UTC.")] = "",
    although_removed: Annotated[
        bool, typer.Option("--although-removed", help="Also to somebody no mail may go to; that is recorded.")
    ] = False,
    key: KeyOption = "",
) -> None:
    """Send one mail to one person, before everything else that waits.

    Example: `posthaste mail send --to ann@example.com --account relay --from me@example.com --subject Hi --text a.txt`
    """
    sender_name, sender_address = choices.sender(sender)
    wanted = commands.SendMail(
        account=await choices.account_id(session, account),
        to=to,
        sender_name=sender_name,
        sender_address=sender_address,
        subject=subject,
        html=read_file(html) if html else "",
        text=read_file(text) if text else "",
        template=await choices.template_id(session, template),
        reply_to=reply_to,
        language=language,
        zone=zone,
        although_removed=although_removed,
    )
    answer = await session.ask(wanted, key=key)
    mail = answer.get("mail", "")
    session.out.done(answer, f"On its way as {mail}. Follow it: posthaste mailing status {mail}")
