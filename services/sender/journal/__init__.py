"""Evidence on the local disk of what was put on the wire, for whoever takes over."""
