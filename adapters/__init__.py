"""Adapters to external systems: Collate, Kafka, PostgreSQL and OIDC issuers."""
