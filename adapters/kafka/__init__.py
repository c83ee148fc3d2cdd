"""Kafka for every process: clients, credentials, topics and permissions. The engine makes its own clients."""
