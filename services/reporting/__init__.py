"""Reporting: reads the one log in order into SQL views and answers every query about what happened."""
