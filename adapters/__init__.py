"""Adapters to what the gateway does not own: Collate, Kafka, PostgreSQL and OIDC issuers."""
