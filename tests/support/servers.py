"""The private servers together."""

from support.postgres import Postgres
from support.rabbitmq import RabbitMQ

__all__ = ["Postgres", "RabbitMQ", "start_together"]


def start_together(*servers: Postgres | RabbitMQ) -> None:
    """Start several at the same time. Call it from the main thread."""
    for server in servers:
        server.launch()
    for server in servers:
        server.wait_until_ready()
