"""Brokers of services that run in the process of a test."""

from faststream.nats import NatsBroker


async def started(broker: NatsBroker) -> None:
    """Start a broker; when this returns the server knows what it listens to."""
    connection = await broker.connect()
    await broker.start()
    await connection.flush()
