"""Revisions of the tables; `make revision` writes the next one (CONTRIBUTING)."""
