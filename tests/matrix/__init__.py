"""The versions of Kafka, Python and PostgreSQL that the gateway is run with."""
