"""Authorizations and handoffs, and how they change. Synchronous; the time is an argument."""
