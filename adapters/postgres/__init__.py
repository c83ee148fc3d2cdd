"""The read model in PostgreSQL: the projector writes it, the ingress reads it (docs/decisions/0005).

rows            the tables as values              tables        SQL generated from the rows
store           the projector's transaction       swap          replace a schema by its rebuild
queries         one statement per request         reader        the connections for queries
views           lists and the overview            filters       conditions and order of a page
serializers     rows -> response models
migrations      the schema's history (Alembic)    migrate       run the migrations
schema_version  the revision of this version      cursor        page cursors
"""
