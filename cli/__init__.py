"""The command line: what users and operators do, over NATS."""
