"""Event sourcing on JetStream: knows nothing of mail, nor of the framework that carries requests."""
