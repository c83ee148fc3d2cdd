"""Applies commands to Collate: command -> decision -> intent -> attempts -> outcome (docs/decisions/0002)."""
