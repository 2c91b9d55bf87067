"""Settings of the webhooks; a provider without a key in them has no path on the tracker."""

from pydantic import Field, FilePath, model_validator

from services.tracker.webhooks import signatures, sns
from services.tracker.webhooks.amazon import Amazon
from services.tracker.webhooks.providers import Mailgun, Postmark, Provider, SendGrid, Ses
from shared.settings import Settings


class WebhookSettings(Settings):
    """What the tracker needs to believe providers; several keys are comma separated, any of them will do.

    Attributes:
        ses_topics: ARNs of the SNS topics that SES publishes to.
        sns_endpoint: Address in place of `https://sns.<region>.amazonaws.com`, of a proxy or a private network.
        sendgrid_keys: Verification keys of signed event webhooks.
        mailgun_keys: Signing keys of webhooks.
        postmark_logins: `user:password` of webhooks.
        mailgun_keys_file: File that holds the keys instead, as does the next.
    """

    ses_topics: str = ""
    sns_endpoint: str = ""
    sendgrid_keys: str = ""
    mailgun_keys: str = Field(default="", repr=False)
    postmark_logins: str = Field(default="", repr=False)
    mailgun_keys_file: FilePath | None = None
    postmark_logins_file: FilePath | None = None

    @model_validator(mode="after")
    def _keys_are_keys(self) -> "WebhookSettings":
        """Refuse what could never fit, with the name of the setting and nothing of the value."""
        signatures.sendgrid_keys(listed(self.sendgrid_keys))
        if not all(sns.TOPIC.fullmatch(topic) for topic in listed(self.ses_topics)):
            raise ValueError("POSTHASTE_SES_TOPICS: not the ARN of an SNS topic")
        if not all(all(login.partition(":")[::2]) for login in listed(self.postmark_logins)):
            raise ValueError("POSTHASTE_POSTMARK_LOGINS: not user:password")
        return self

    def providers(self) -> dict[str, Provider]:
        """Return the providers that have a key, by their names in the path."""
        found: dict[str, Provider] = {}
        if topics := listed(self.ses_topics):
            found["ses"] = Ses(topics, Amazon(self.sns_endpoint))
        if keys := listed(self.sendgrid_keys):
            found["sendgrid"] = SendGrid(keys)
        if keys := listed(self.mailgun_keys):
            found["mailgun"] = Mailgun(keys)
        if logins := listed(self.postmark_logins):
            found["postmark"] = Postmark(logins)
        return found


def listed(text: str) -> list[str]:
    """Return the parts of a comma-separated setting."""
    return [part.strip() for part in text.split(",") if part.strip()]
