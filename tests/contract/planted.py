"""A document with one careless edit."""

from copy import deepcopy


def planted(document, way, value):
    """Put a value where the keys lead; `...` takes away what is there."""
    copy = deepcopy(document)
    *steps, last = way
    at = copy
    for step in steps:
        at = at[step]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return copy
