"""Mails as bytes: a template compiled once, filled for each recipient, signed."""
