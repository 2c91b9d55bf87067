"""Jobs in, mails out over SMTP, what became of each mail into evt.chunk."""

from shared import spared

spared.faststream()
