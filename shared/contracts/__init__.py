"""The published language: events, commands, queries, subjects, the frozen content."""
