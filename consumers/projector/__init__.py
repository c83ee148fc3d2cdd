"""Topics -> read model (docs/decisions/0005): a loop of its own, because its offsets live in SQL.

source     records of three topics, by offset      reading   what a record says
fold       batch -> rows (pure)                    loop      one transaction after another
projector  composition root                        rebuild   the same into a second schema, then swap
"""
