"""Owners and their systems are told how a mailing ended, or why it stands."""
