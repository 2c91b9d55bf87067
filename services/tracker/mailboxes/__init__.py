"""IMAP mailboxes that mail comes back to: who reads which, how far, and what goes wrong."""
