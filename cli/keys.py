"""`posthaste keys`: a new key that signs links and seals passwords, while the old ones still verify and open."""

import secrets

from cli.commands import KeyOption, command, group
from cli.errors import NotBalancedError
from cli.session import Session
from deploy.data_folder import DataFolder
from shared.contracts import commands

app = group("keys", "Keys that sign links and seal passwords.")


@command(app, "rotate")
async def rotate(session: Session) -> None:
    """Put a new key in front of the others in the data folder; elsewhere, say what to put into the environment.

    Links in mails already sent go on working. Restart everything, then `posthaste keys reseal`.

    Example: `posthaste keys rotate --data /var/lib/posthaste`
    """
    folder = session.data.resolve()
    if DataFolder(folder).has_secrets:
        active = DataFolder(folder).add_key()
        text = f"Key {active} is the first one now. Restart Posthaste, then: posthaste keys reseal"
        session.out.done({"active": active, "changed": True}, text)
        return
    fresh = "p" + secrets.token_hex(24)
    text = (
        f"Put this in front of POSTHASTE_SECRET_KEYS (or of what its file holds) of every service, with a comma:\n\n"
        f"{fresh}\n\nRestart all of them, then: posthaste keys reseal"
    )
    session.out.done({"key": fresh, "changed": False}, text)


@command(app, "reseal")
async def reseal(session: Session, key: KeyOption = "") -> None:
    """Seal all SMTP passwords and signing keys with the first key, after every service was started with it.

    Example: `posthaste keys reseal`
    """
    answer = await session.ask(commands.ResealSecrets(), key=key)
    session.out.done(answer, f"{len(answer['resealed'])} secrets are sealed with key {answer['active']} now.")
    if answer["closed"] and not session.out.as_json:
        named = ", ".join(answer["closed"])
        raise NotBalancedError("sealed_for_good", f"No key opens the secrets of {named}: add them anew.")
