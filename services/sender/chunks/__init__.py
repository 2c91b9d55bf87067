"""One chunk: where its recipients stand, what may be decided about them, and what came back as outcomes."""
