"""Kafka for every process: clients, credentials, topics and permissions. The engine creates its own clients."""
