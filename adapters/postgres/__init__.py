"""What became of every command, in PostgreSQL: written by the projector, read by ingress (docs/decisions/0005).

rows         the tables as values              store      the projector's transaction
public       what of a message may be stored   reading    queries for people, `reader` the connections for them
migrations   the schema's history (Alembic)    sentences  a timeline in words
"""
