"""How fast and over how many connections, shared by all senders: rates, slots, connections."""
