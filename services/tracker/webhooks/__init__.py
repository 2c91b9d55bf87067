"""Webhooks of providers: who says so (`signatures`, `sns`), the certificates of Amazon, and the HTTP side (`hooks`)."""
