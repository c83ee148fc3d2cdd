"""Collate's wire models, by subject (docs/collate-contract.md)."""
