"""A copy of a document with one planted error."""

from copy import deepcopy


def planted(document, path, value):
    """Return a copy with another value at a path of keys; `...` removes the value."""
    copy = deepcopy(document)
    *steps, last = path
    at = copy
    for step in steps:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copy
