"""The HTTP API of a service: the requests of `shared.contracts.api`, answered by the same handlers as on NATS."""
