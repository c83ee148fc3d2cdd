"""Faults: which calls they hit, and what they do to them."""
