"""Collate's public calls: routing, idempotency keys and writes."""
