"""Real Apache Kafka on this machine, without Docker and without a system Java."""
