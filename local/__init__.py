"""The gateway on one machine: local Kafka, PostgreSQL and a simulated Collate, `make dev` and `make demo`."""
