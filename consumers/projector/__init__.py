"""The projector: builds the read model in SQL from three topics (docs/decisions/0005). Its offsets are in SQL too.

source     reader of the three topics              parsing     record -> item
fold       items -> rows (pure)                    batch       the contents of one transaction
loop       one transaction after another           lag_poller  the ends of the topics
projector  composition root                        rebuild     fill a second schema, then swap
"""
