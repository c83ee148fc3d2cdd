"""The gateway on one machine: local Kafka, PostgreSQL and a simulated Collate, `gateway dev` and `gateway demo`."""
