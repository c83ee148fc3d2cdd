"""Webhooks of subscribers: which addresses may be called, signatures, and the connections."""
