"""How contacts come in: as files, and from producers."""
