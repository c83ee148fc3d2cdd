"""One authorization's remembered state and the reducer that changes it: used by applier and watcher alike.

`memory` is the shape, `facts` what is told to it, `reducer` what becomes of it, `publication` how that is written,
`look` how Collate is read. Everything but `look` is pure.
"""
