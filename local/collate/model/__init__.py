"""Authorizations, handoffs and their transitions. Synchronous; the time is an argument."""
