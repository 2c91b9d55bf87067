"""Jobs in, mails out over SMTP, what became of each mail into evt.chunk."""
