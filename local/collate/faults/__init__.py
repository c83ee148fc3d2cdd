"""Fault rules and their effects on calls."""
