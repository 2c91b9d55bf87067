"""Revisions of which the last one fails half-way."""
