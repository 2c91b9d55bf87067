"""Rules that find contacts: a small language (docs/segments.md), read by `grammar`, made SQL by `finding`."""
