"""The engine's use of Kafka: clients, membership, offsets and transactions."""
