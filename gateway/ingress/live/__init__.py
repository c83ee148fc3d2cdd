"""The synchronous calls that must not cross Kafka: access grants and the review snapshot. Values in, values out."""
