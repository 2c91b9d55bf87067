"""A mail catcher: an SMTP server that keeps what it is sent as files, and pages to look at it. It delivers nothing."""
