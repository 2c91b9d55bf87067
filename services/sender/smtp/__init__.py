"""Mails over the wire: a connection is opened, carries windows of mails, and ends."""
