"""What mail is sent from and comes back to: SMTP accounts, domains with their keys, mailboxes."""
