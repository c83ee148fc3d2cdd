"""The calls to Collate that must not pass through Kafka: access grants and the review snapshot."""
