"""What follows from what a relay says of us: slower, suspended, paused, and tried again."""
