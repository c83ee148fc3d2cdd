"""What the engine asks of Kafka: clients, membership, offsets, transactions and lag."""
