"""Judges a run: its topics, its callers' responses and Collate's ledger, compared with the promises."""
