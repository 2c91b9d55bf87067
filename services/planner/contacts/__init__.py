"""Who can be written to: contacts, their lists, what sources know of them, and what is not mailed."""
