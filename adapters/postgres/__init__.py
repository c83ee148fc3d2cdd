"""The read model in PostgreSQL: the projector writes it, the ingress reads it (docs/decisions/0005)."""
