"""How many of the places that all callers share one caller may take: requests in flight, waits, event streams.

Invariant: all people of a prefix together take at most half, so that a service always finds a place, and the reverse.
"""

from schemas.callers import pool_of


def shares_of(caller: str, places: int, most: int | None = None) -> dict[str, int]:
    """Return the names under which a caller takes a place, and the most places of each name.

    `most`: the bound of one caller; by default half of the places for a service, and a quarter for a person.
    """
    pool, half = pool_of(caller), (places + 1) // 2
    if pool == caller:
        return {caller: half if most is None else most}
    return {caller: (half + 1) // 2 if most is None else most, pool: half}
